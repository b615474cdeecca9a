# The tools, one function each: prints on stdout how it came by the tool, all
# else on stderr. A tool lives in $tools/<name>-<version>/, made whole under
# another name and then moved, and is linked into $tools/bin.
# shellcheck shell=bash disable=SC2154
# Sourced by scripts/setup, which sets root and tools.

case "$(uname -s)-$(uname -m)" in
Linux-x86_64) os=linux arch=x64 go_arch=amd64 machine=x86_64 ;;
Linux-aarch64) os=linux arch=arm64 go_arch=arm64 machine=aarch64 ;;
Darwin-arm64) os=darwin arch=arm64 go_arch=arm64 machine=aarch64 ;;
Darwin-x86_64) os=darwin arch=x64 go_arch=amd64 machine=x86_64 ;;
*) echo "error: no tools for $(uname -sm)" >&2 && exit 1 ;;
esac

# A closed network must cost seconds, not minutes.
fetch() {
  curl -fsSL --connect-timeout 4 --speed-limit 20000 --speed-time 15 --max-time 600 -o "$2" "$1" >&2
}

# verify FILE SUMS NAME: SUMS holds "<sha256> [*]NAME" lines, or one sum alone.
verify() {
  local wanted
  wanted=$(awk -v name="$3" 'NF == 1 || $2 == name || $2 == "*" name { print $1; exit }' "$2")
  [ -n "$wanted" ] && echo "$wanted  $1" | sha256sum --check --quiet >&2
}

# fetch_verified BASE_URL NAME SUMS_NAME DIR
fetch_verified() {
  fetch "$1/$2" "$4/$2" && fetch "$1/$3" "$4/sums" && verify "$4/$2" "$4/sums" "$2"
}

in_cache() { [ -x "$tools/bin/$1" ] && [[ "$(readlink "$tools/bin/$1")" == "../$2/"* ]]; }

# publish PARTIAL_DIR NAME-VERSION
publish() {
  rm -rf "${tools:?}/$2"
  chmod 755 "$1"
  mv "$1" "$tools/$2"
}

# link BINARY NAME-VERSION/PATH
link() { ln -sfn "../$2" "$tools/bin/$1"; }

# go_build MODULE PACKAGE OUTPUT LINKER_FLAGS
go_build() {
  command -v go >/dev/null || { echo "cannot download $1, and there is no Go to build it with" >&2; return 1; }
  (cd "$root/scripts/tools/$1" && go build -tags osusergo,grpcnotrace -trimpath -ldflags "-s -w $4" -o "$3" "$2") >&2
}

install_node() {
  local name=node-$NODE_VERSION partial folder
  if in_cache node "$name"; then echo present && return; fi
  if [ "$(node --version 2>/dev/null | cut -d. -f1)" = "v${NODE_VERSION%%.*}" ]; then echo 'on PATH' && return; fi
  partial=$(mktemp -d "$tools/.node.XXXXXX")
  folder=node-v$NODE_VERSION-$os-$arch
  if fetch_verified "https://nodejs.org/dist/v$NODE_VERSION" "$folder.tar.gz" SHASUMS256.txt "$partial" &&
    tar -xzf "$partial/$folder.tar.gz" -C "$partial"; then
    rm "$partial/$folder.tar.gz"
    publish "$partial" "$name"
    local binary
    for binary in node npm npx; do link "$binary" "$name/$folder/bin/$binary"; done
    echo downloaded
  else
    # The same binary as an npm package, fetched with the npm of any older Node.
    npm install --prefix "$partial" --silent --no-audit --no-fund --ignore-scripts \
      "node-$os-$arch@$NODE_VERSION" >&2
    publish "$partial" "$name"
    link node "$name/node_modules/node-$os-$arch/bin/node"
    echo 'from npm'
  fi
}

install_pulumi() {
  local name=pulumi-$PULUMI_VERSION partial file=pulumi-v$PULUMI_VERSION-$os-$arch.tar.gz
  if in_cache pulumi "$name"; then echo present && return; fi
  if [ "$(pulumi version 2>/dev/null)" = "v$PULUMI_VERSION" ]; then echo 'on PATH' && return; fi
  partial=$(mktemp -d "$tools/.pulumi.XXXXXX")
  if fetch_verified "https://github.com/pulumi/pulumi/releases/download/v$PULUMI_VERSION" \
    "$file" "pulumi-$PULUMI_VERSION-checksums.txt" "$partial" &&
    tar -xzf "$partial/$file" -C "$partial" --strip-components=1; then
    rm "$partial/$file"
    echo downloaded
  else
    go_build pulumi github.com/pulumi/pulumi/pkg/v3/cmd/pulumi "$partial/pulumi" \
      "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$PULUMI_VERSION"
    echo built
  fi
  publish "$partial" "$name"
  link pulumi "$name/pulumi"
}

# Only plain `pulumi` needs it. The vendor's archive brings it along; its own
# module can no longer be fetched, so the build takes the last SDK that had it.
install_language_nodejs() {
  local binary=pulumi-language-nodejs name=pulumi-language-nodejs-$PULUMI_LANGUAGE_NODEJS_SDK_VERSION partial
  if in_cache $binary "$name" || in_cache $binary "pulumi-$PULUMI_VERSION"; then echo present && return; fi
  if [ -x "$tools/pulumi-$PULUMI_VERSION/$binary" ]; then
    link $binary "pulumi-$PULUMI_VERSION/$binary"
    echo 'with pulumi' && return
  fi
  if ! in_cache pulumi "pulumi-$PULUMI_VERSION" && command -v $binary >/dev/null; then echo 'on PATH' && return; fi
  partial=$(mktemp -d "$tools/.language.XXXXXX")
  go_build language-nodejs github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/$binary "$partial/$binary" \
    "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v$PULUMI_VERSION"
  publish "$partial" "$name"
  link $binary "$name/$binary"
  echo built
}

# install_docker_plugin NAME VERSION BASE_URL FILE SUMS PACKAGE LINKER_FLAGS
install_docker_plugin() {
  local name=$1-$2 binary=docker-$1 partial
  if [ -x "$tools/$name/$binary" ]; then echo present && return; fi
  partial=$(mktemp -d "$tools/.$1.XXXXXX")
  if fetch_verified "$3" "$4" "$5" "$partial"; then
    mv "$partial/$4" "$partial/$binary"
    chmod 755 "$partial/$binary"
    echo downloaded
  else
    go_build "$1" "$6" "$partial/$binary" "$7"
    echo built
  fi
  publish "$partial" "$name"
}

install_compose() {
  install_docker_plugin compose "$COMPOSE_VERSION" \
    "https://github.com/docker/compose/releases/download/v$COMPOSE_VERSION" \
    "docker-compose-$os-$machine" "docker-compose-$os-$machine.sha256" \
    github.com/docker/compose/v5/cmd \
    "-X github.com/docker/compose/v5/internal.Version=v$COMPOSE_VERSION"
  link docker-compose "compose-$COMPOSE_VERSION/docker-compose"
}

install_buildx() {
  install_docker_plugin buildx "$BUILDX_VERSION" \
    "https://github.com/docker/buildx/releases/download/v$BUILDX_VERSION" \
    "buildx-v$BUILDX_VERSION.$os-$go_arch" checksums.txt \
    github.com/docker/buildx/cmd/buildx \
    "-X github.com/docker/buildx/version.Version=v$BUILDX_VERSION"
}

install_registry() {
  local name=registry-$REGISTRY_VERSION partial file=registry_${REGISTRY_VERSION}_${os}_$go_arch.tar.gz
  if in_cache registry "$name"; then echo present && return; fi
  partial=$(mktemp -d "$tools/.registry.XXXXXX")
  if fetch_verified "https://github.com/distribution/distribution/releases/download/v$REGISTRY_VERSION" \
    "$file" "$file.sha256" "$partial" && tar -xzf "$partial/$file" -C "$partial" registry; then
    rm "$partial/$file"
    echo downloaded
  else
    go_build registry github.com/distribution/distribution/v3/cmd/registry "$partial/registry" \
      "-X github.com/distribution/distribution/v3/version.version=v$REGISTRY_VERSION"
    echo built
  fi
  publish "$partial" "$name"
  link registry "$name/registry"
}
