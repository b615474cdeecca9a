#!/usr/bin/env node
// Stands for docker-compose: hands `up` to the double of the engine that DOUBLE_ENGINE names.
import { request } from "node:http";
import { text } from "node:stream/consumers";

const args = process.argv.slice(2);
if (args[0] === "version") {
  console.log("2.40.0");
  process.exit(0);
}
const project = JSON.parse((await text(process.stdin)).replaceAll("$$", "$"));
const services = args.slice(args.indexOf("--quiet-pull") + 1);
const call = request(
  { socketPath: process.env.DOUBLE_ENGINE, method: "POST", path: "/double/compose-up" },
  async (response) => {
    const answer = await text(response);
    if (response.statusCode !== 200) console.error(JSON.parse(answer).message);
    process.exit(response.statusCode === 200 ? 0 : 1);
  },
);
call.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
call.end(JSON.stringify({ project, services }));
