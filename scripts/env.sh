# Sourced by people and scripts: the versions, and the tools that scripts/setup
# installed, first on PATH. Works in bash and zsh.
# shellcheck shell=bash
_ikoma_root=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)
# shellcheck source=versions.env
. "$_ikoma_root/versions.env"
unset _ikoma_root

export IKOMA_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ikoma
case ":$PATH:" in
*":$IKOMA_CACHE/tools/bin:"*) ;;
*) export PATH="$IKOMA_CACHE/tools/bin:$PATH" ;;
esac
# Nothing asks the network for a newer version or a plugin behind our back.
export PULUMI_SKIP_UPDATE_CHECK=true
export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true
