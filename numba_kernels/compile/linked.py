"""How helpers are compiled: for being linked into kernels, and no further.

Numba optimises every function together with all that it calls, and makes machine code of it, though a helper is never
called but from a kernel, which is optimised and emitted as a whole again. Leaving that to the kernel takes a fifth off
a first call. What is replaced is the code library, by way of a pass of one's own (see "Customizing the compiler" in
Numba's documentation).
"""

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.typed_passes import NopythonTypeInference


class _NoEnvironments:
    """A code generator that sets no environment: only code for calls from Python has one."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def set_env(self, name: str, env: Any) -> None:
        """Do nothing: nothing of the library is in memory."""


class _LinkedLibrary(JITCodeLibrary):
    """LLVM's form of a function and of all that it calls, neither optimised as a whole nor emitted."""

    @property
    def codegen(self) -> Any:
        return _NoEnvironments(self._codegen)

    def _optimize_functions(self, ll_module: Any) -> None:
        """Do nothing: the kernel is optimised as a whole."""

    def _optimize_final_module(self) -> None:
        """Do nothing."""

    def _finalize_final_module(self) -> None:
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """No function has an address."""
        self._ensure_finalized()  # type: ignore[no-untyped-call]
        return 0


@register_pass(mutates_CFG=False, analysis_only=True)
class _UseLinkedLibrary(FunctionPass):
    _name = "softops_linked_library"

    def __init__(self) -> None:
        FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        library: Any = _LinkedLibrary
        state.library = library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return False


class LinkedCompiler(CompilerBase):
    """Numba's own passes, with a library that is only linked."""

    def define_pipelines(self) -> list[Any]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(_UseLinkedLibrary, NopythonTypeInference)
        passes.finalize()
        return [passes]
