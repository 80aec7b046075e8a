#!/usr/bin/env bash
# Unpacks CPython 3.14 from Debian testing, together with the C library and the other libraries it was built
# against, into a folder of its own. Nothing is installed on the system and no package list of it is touched.
#
# usage: python314-from-debian.sh FOLDER
# needs: apt-get and dpkg (a Debian or a descendant of it), and patchelf on PATH
#
# The interpreter is bound to FOLDER's absolute path: moved elsewhere it has to be unpacked again.
set -euo pipefail

target=${1:?usage: python314-from-debian.sh FOLDER}

case $(dpkg --print-architecture) in
  amd64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
  arm64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
  *) echo "python314-from-debian: only amd64 and arm64 are handled" >&2; exit 1 ;;
esac

# python3.14-dev and libpython3.14-dev carry the headers that packages without a wheel compile against.
packages=(
  python3.14 python3.14-minimal python3.14-dev
  libpython3.14-minimal libpython3.14-stdlib libpython3.14-dev
  libc6 libgcc-s1 libstdc++6
  libbz2-1.0 libexpat1 libffi8 liblzma5 libncursesw6 libreadline8t64 libsqlite3-0 libssl3t64 libtinfo6 libuuid1
  libzstd1 zlib1g
)

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/sources" "$scratch/lists/partial" "$scratch/archives"

# The machine's own Debian mirror serves testing as well, so whatever mirror or proxy is set up keeps being used.
mirror=$(apt-get indextargets --format '$(SITE) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' |
  awk '$2 !~ /security/ {print $2; exit}')
if [[ -z $mirror ]]; then
  echo "python314-from-debian: apt knows no Debian mirror (run apt-get update as root once)" >&2
  exit 1
fi
cat >"$scratch/sources/testing.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: testing
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES

own_apt() {
  apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$scratch/sources" \
    -o Dir::State::Lists="$scratch/lists" -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Retries=2 -o Acquire::http::Timeout=20 "$@"
}

own_apt update
(cd "$scratch/archives" && own_apt download "${packages[@]}")
mkdir -p "$target"
target=$(cd "$target" && pwd)
for archive in "$scratch"/archives/*.deb; do
  dpkg -x "$archive" "$target"
done

# DT_RPATH, unlike DT_RUNPATH, also counts for the libraries that the interpreter's extension modules load.
libraries=$target/usr/lib/$triplet
patchelf --set-interpreter "$libraries/$loader" --force-rpath --set-rpath "$libraries" "$target/usr/bin/python3.14"
"$target/usr/bin/python3.14" -c 'import bz2, ctypes, lzma, sqlite3, ssl, zlib'
