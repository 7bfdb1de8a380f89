#!/usr/bin/env bash
# disk.sh FILE PYTHON ROOT: the virtual machine's files, as a squashfs: of this machine's own what the guest needs, at the same
# paths (reading them through 9p as they are is ten times slower). PYTHON: the virtual environment's; ROOT: the checkout.
set -euo pipefail
file=$(realpath -m "$1")
prefix=$("$2" -c 'import sys; print(sys.prefix.lstrip("/"))')
base=$("$2" -c 'import sys; print(sys.base_prefix.lstrip("/"))')
root=${3#/}
cd /

python=$(basename "$prefix"/lib/python3*)
sources=(bin lib lib64 sbin etc/{alternatives,fonts,group,hosts,ld.so.cache,nsswitch.conf,passwd} usr/lib64 usr/lib/x86_64-linux-gnu usr/lib/chromium usr/bin/chromium-headless-shell
  usr/bin/{busybox,dash,sh,timeout,v4l2-ctl} usr/share/fonts "$base/bin/"python{,3} "$base/bin/$python" "$base/lib/$python" "$prefix"
  "$root"/{lsp_cam,subjects,tests/system/vm,pyproject.toml})
for library in "$base/lib/lib$python"*.so*; do [ -e "$library" ] && sources+=("$library"); done
present=()
for source in "${sources[@]}"; do [ -e "$source" ] && present+=("$source"); done

packages="$prefix/lib/$python/site-packages"
unneeded=("... *.a" "... libLLVM*" "... test" "$base/lib/$python/site-packages" "$base/lib/$python/config-*" usr/lib/chromium/chromium
  "usr/lib/x86_64-linux-gnu/"{dri,perl,gconv,samba}
  "$packages/"{torch,ray,tensorrt_rtx_libs,playwright,scipy,sympy,sklearn,mediapipe,atheris,mypy,pocketsphinx,"*fuzzer*"})
mksquashfs "${present[@]}" "$file" -no-strip -noappend -no-progress -quiet -noI -noD -noF -noX -wildcards -e "${unneeded[@]}"
