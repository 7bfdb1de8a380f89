"""The virtual machine: a real v4l2loopback device where this machine has no kernel of its own to load it into.

`look(folder)` boots it and runs `guest.py` inside; `folder` has afterwards what was seen there. QEMU translates every
instruction (KVM is not asked for), so that it runs anywhere, slowly. Needs the packages that .ci/run installs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from ...conftest import ROOT

HERE = Path(__file__).parent
PROGRAMS = ("qemu-system-x86_64", "chromium-headless-shell", "v4l2-ctl", "mksquashfs", "busybox", "cpio", "apt-get")
PATIENCE = "LSP_CAM_VM_PATIENCE_S"
"""The environment's variable for how long the guest waits for each thing; more where the machine has other work."""
STEPS = 5

# Of the CPUs that QEMU 7.2 knows, one without AVX: numpy crashes in what it makes of that.
QEMU = (
    *("qemu-system-x86_64", "-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "Nehalem", "-smp", "2", "-m", "4096"),
    *("-nographic", "-no-reboot", "-nic", "none", "-device", "virtio-rng-pci"),
)
KERNEL = "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1"

START = """\
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/run/bin HOME=/tmp LANG=C.UTF-8 OPENBLAS_NUM_THREADS=1
export LSP_CAM_HOME=/run/lsp-cam LSP_CAM_RUNTIME=/run/lsp-cam/run {patience} PYTHONPATH='{root}'
mkdir -p $LSP_CAM_HOME/subjects $LSP_CAM_RUNTIME
cp -r '{root}/subjects/demo' $LSP_CAM_HOME/subjects/
'{python}' '{root}/tests/system/vm/guest.py' /guest
echo o > /proc/sysrq-trigger
sleep 60
"""


def lacking() -> list[str]:
    """The programs that are missing here."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def look(folder: Path) -> str:
    """Run the guest's program; what was seen goes to `folder`. Gives what the machine printed."""
    patience_s = float(os.environ.get(PATIENCE, "240"))
    disk = folder.with_suffix(".squashfs")
    subprocess.run([HERE / "disk.sh", disk, sys.executable, ROOT], check=True)
    start = START.format(root=ROOT, python=sys.executable, patience=f"{PATIENCE}={patience_s:g}")
    (folder / "start").write_text(start)
    boots = image()
    words = [*QEMU, "-kernel", boots / "vmlinuz", "-initrd", boots / "initrd.gz", "-append", KERNEL]
    words += ["-drive", f"file={disk},format=raw,if=virtio,readonly=on"]
    words += ["-fsdev", f"local,id=guest,path={folder},security_model=none"]
    words += ["-device", "virtio-9p-pci,fsdev=guest,mount_tag=guest"]
    log = folder / "log"
    with log.open("wb") as out, suppress(subprocess.TimeoutExpired):  # what was printed tells how far it came
        limit_s = STEPS * patience_s
        subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True, timeout=limit_s)
    disk.unlink()
    return log.read_text(errors="replace")


def image() -> Path:
    """The folder with the kernel and the first files, made once for each kernel: a minute, and 70 MB from Debian."""
    kernels = sorted(path.name for path in Path("/usr/src").glob("linux-headers-*"))
    made_of = [*kernels, (HERE / "image.sh").read_text(), (HERE / "init.sh").read_text()]
    key = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]
    folder = user_cache_path("lsp-cam-vm") / key
    if not (folder / "initrd.gz").exists():
        subprocess.run([HERE / "image.sh", folder], check=True)
    return folder
