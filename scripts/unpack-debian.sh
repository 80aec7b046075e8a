#!/usr/bin/env bash
# Unpacks Debian packages into a folder of their own. Nothing is installed on the system, no package list of it is
# touched, and dependencies are not followed: name every package that is wanted.
#
# usage: unpack-debian.sh SUITE FOLDER PACKAGE...
# needs: apt-get and dpkg on a Debian; no root
set -euo pipefail

if [[ $# -lt 3 ]]; then
  echo "usage: unpack-debian.sh SUITE FOLDER PACKAGE..." >&2
  exit 2
fi
suite=$1 folder=$2
shift 2

# The machine's own mirror serves every suite, so whatever mirror or proxy is set up keeps being used.
# shellcheck disable=SC2016 # apt-get fills that in.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | grep -v security | head -n 1) ||
  true
if [[ -z $mirror ]]; then
  echo "unpack-debian: apt knows no Debian mirror here (on a Debian, run apt-get update as root once)" >&2
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/sources" "$scratch/lists/partial" "$scratch/archives"
cat >"$scratch/sources/own.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES

own_apt() {
  apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$scratch/sources" \
    -o Dir::State::Lists="$scratch/lists" -o Dir::Cache="$scratch" -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Retries=2 -o Acquire::http::Timeout=20 "$@"
}

own_apt update
(cd "$scratch/archives" && own_apt download "$@")
mkdir -p "$folder"
for archive in "$scratch"/archives/*.deb; do
  dpkg -x "$archive" "$folder"
done
