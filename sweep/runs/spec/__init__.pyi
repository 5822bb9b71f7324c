from .spec import Spec as Spec
