"""What an engine says of itself: version, platform, where its data lies, how it maps users."""

from dataclasses import dataclass
from datetime import datetime

from devmount.engine import buildx, images
from devmount.engine.container import rootless
from devmount.engine.engine import Engine, explained

# As uname(1) and as images name them.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386", "i386": "386"}
DESKTOP = "Docker Desktop"


@dataclass(frozen=True, slots=True)
class About:
    """``time``: its clock, seconds since the epoch; None when it does not tell. ``root``: the folder of its data.

    ``is_local``: it listens on a socket of this machine. ``is_desktop``: it runs in a virtual machine of Docker's.
    """

    name: str
    version: str
    api: str
    address: str
    architecture: str
    root: str = ""
    time: float | None = None
    is_local: bool = True
    is_rootless: bool = False
    is_desktop: bool = False
    remaps_users: bool = False
    has_selinux: bool = False

    @property
    def is_podman(self) -> bool:
        return self.name == "Podman"

    @property
    def is_on_this_machine(self) -> bool:
        """Whether its files and ports are this machine's."""
        return self.is_local and not self.is_desktop


def about(engine: Engine) -> About:
    """Ask it.

    Raises:
        DevmountError: it does not answer.
    """
    with explained("the engine does not tell about itself"):
        info = engine.client.info()
        version = engine.client.version()
    options = {part for option in info.get("SecurityOptions") or () for part in option.split(",")}
    architecture = str(info.get("Architecture") or version.get("Arch") or "")
    return About(
        name="Podman" if engine.is_podman() else "Docker",
        version=str(version.get("Version", "")),
        api=str(version.get("ApiVersion", "")),
        address=buildx.docker_host(engine),
        architecture=ARCHITECTURES.get(architecture, architecture),
        root=str(info.get("DockerRootDir") or ""),
        time=_seconds(str(info.get("SystemTime") or "")),
        is_local=engine.is_local(),
        is_rootless=rootless(info),
        is_desktop=DESKTOP in str(info.get("OperatingSystem") or ""),
        remaps_users="name=userns" in options,
        has_selinux="name=selinux" in options,
    )


def image_architecture(engine: Engine, name: str) -> str | None:
    """The architecture that an image is for; None when it is not here."""
    if images.inspect(engine, name) is None:
        return None
    with explained("the image cannot be inspected", name):
        return str(engine.client.inspect_image(name).get("Architecture") or "")


def _seconds(text: str) -> float | None:
    """The time that an RFC 3339 text tells; None when it is none. Engines write nanoseconds."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None
