"""What needs the user's word before anything of a project is started, and what they have allowed already.

``reach`` decides, ``store`` keeps; ``standing`` looks at this machine and brings the two together.
"""

from devmount.trust.reach import Reach
from devmount.trust.standing import Held, Standing, Status, allow, of_checkouts, standing
from devmount.trust.store import Store, folder

__all__ = ["Held", "Reach", "Standing", "Status", "Store", "allow", "folder", "of_checkouts", "standing"]
