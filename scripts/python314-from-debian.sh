#!/usr/bin/env bash
# Unpacks CPython 3.14 from Debian testing, together with the C library and the other libraries it was built
# against, into a folder of its own; the system is left alone.
#
# usage: python314-from-debian.sh FOLDER
# needs: a Debian (see unpack-debian.sh), and patchelf on PATH
#
# The interpreter is bound to FOLDER's absolute path: moved elsewhere it has to be unpacked again.
set -euo pipefail

folder=${1:?usage: python314-from-debian.sh FOLDER}

case $(dpkg --print-architecture) in
  amd64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
  arm64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
  *) echo "python314-from-debian: only amd64 and arm64 are handled" >&2; exit 1 ;;
esac

# The -dev packages carry the headers that Python packages without a wheel compile against.
"$(dirname "${BASH_SOURCE[0]}")/unpack-debian.sh" testing "$folder" \
  python3.14 python3.14-minimal python3.14-dev \
  libpython3.14-minimal libpython3.14-stdlib libpython3.14-dev \
  libc6 libgcc-s1 libstdc++6 \
  libbz2-1.0 libexpat1 libffi8 liblzma5 libncursesw6 libreadline8t64 libsqlite3-0 libssl3t64 libtinfo6 libuuid1 \
  libzstd1 zlib1g

# DT_RPATH, unlike DT_RUNPATH, also counts for the libraries that the interpreter's extension modules load.
folder=$(cd "$folder" && pwd)
libraries=$folder/usr/lib/$triplet
patchelf --set-interpreter "$libraries/$loader" --force-rpath --set-rpath "$libraries" "$folder/usr/bin/python3.14"
"$folder/usr/bin/python3.14" -c 'import bz2, ctypes, lzma, sqlite3, ssl, zlib'
