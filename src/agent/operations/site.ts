import type { SiteSpec } from "../../core/release/release-spec.ts";
import { siteSpec } from "../../core/release/release-spec.ts";
import { IkomaError } from "../../core/errors.ts";
import { checkEdgeView } from "../edge/edge-view.ts";
import type { EdgeApp, EdgeView } from "../edge/edge.ts";
import { edgeView } from "../edge-from-ledger.ts";
import type { Host } from "../host.ts";
import { certificateDrift } from "../reading/site-certificate.ts";

/**
 * Gives an app another site, or none. One that the edge cannot serve (a host name that another app has, a bad
 * certificate) does not come into the ledger: with it there no app could be changed, and the agent not be started.
 */
export async function changeSite(host: Host, app: string, site: SiteSpec | undefined): Promise<Record<string, never>> {
  const before = host.parts.get(app, "site", siteSpec);
  try {
    await host.edge.ensure(() =>
      host.parts.atOnce(() => {
        const others = edgeView(host).apps.filter((each) => each.app !== app);
        setSite(host, app, site);
        const view = edgeView(host);
        checkEdgeView(view);
        requireAll(others, view, app);
        return view;
      }),
    );
  } catch (error) {
    // HAProxy itself refused it, or was not there to be asked.
    setSite(host, app, before);
    throw error;
  }
  const certificate = await certificateDrift(host, app, site?.certificatePem);
  // HAProxy may have been started from altered files: what it runs is not known to be what was written.
  const isAltered = certificate.length > 0 || (await host.edge.alteredFiles()).length > 0;
  if (isAltered) await host.edge.rewrite(() => edgeView(host));
  return {};
}

/** An app that serves every host name because it has no site must not lose them to another one's. */
function requireAll(apps: readonly EdgeApp[], view: EdgeView, newcomer: string): void {
  const lost = apps.find((each) => !view.apps.some((other) => other.app === each.app));
  if (lost === undefined) return;
  throw new IkomaError(
    "CONFIG_INVALID",
    `The apps ${lost.app} and ${newcomer} both claim every host name (they have no domains).`,
  );
}

function setSite(host: Host, app: string, site: SiteSpec | undefined): void {
  if (site === undefined) host.parts.remove(app, "site");
  else host.parts.set(app, "site", site);
}
