"""Listening to one module of a network for the length of one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from threading import Lock, get_ident
from typing import TYPE_CHECKING, Any

from platonic_ase.errors import EncoderError
from platonic_ase.models.encoder import Array, Receiver

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class _Hook:
    """A context in which a module has a hook; lighter than one that a generator makes."""

    __slots__ = ("_handle", "_register")

    def __init__(self, register: Callable[[], Any]) -> None:
        self._register = register
        self._handle: Any = None

    def __enter__(self) -> None:
        self._handle = self._register()

    def __exit__(self, *exception: object) -> None:
        self._handle.remove()


def output_of(
    module: torch.nn.Module, receive: Receiver, select: Callable[[Any], Tensor] | None = None
) -> AbstractContextManager[None]:
    """Hand the output of a module to ``receive``.

    Parameters
    ----------
    module : torch.nn.Module
    receive : callable
        Gets the tensor; it copies what it keeps.
    select : callable, optional
        Picks the tensor of shape (n, d) out of the module's output.

    Raises
    ------
    EncoderError
        If the module refuses hooks.
    """

    def hook(_module: torch.nn.Module, _args: Any, output: Any) -> None:
        deliver(receive, lambda: output if select is None else select(output))

    def register() -> Any:
        refuse_scripted(module)
        return module.register_forward_hook(hook)

    return _Hook(register)


def input_of(
    module: torch.nn.Module, receive: Receiver, select: Callable[..., Tensor] | None = None
) -> AbstractContextManager[None]:
    """Hand the first input of a module to ``receive``, before the module can change it.

    Parameters
    ----------
    module : torch.nn.Module
    receive : callable
        Gets the tensor; it copies what it keeps.
    select : callable, optional
        Called with the module's arguments, returns the tensor of shape (n, d).

    Raises
    ------
    EncoderError
        If the module refuses hooks.
    """

    def hook(_module: torch.nn.Module, args: Any, kwargs: Any) -> None:
        deliver(receive, lambda: args[0] if select is None else select(*args, **kwargs))

    def register() -> Any:
        refuse_scripted(module)
        return module.register_forward_pre_hook(hook, with_kwargs=True)

    return _Hook(register)


def deliver(receive: Receiver, select: Callable[[], Array]) -> None:
    """Hand over a tensor, or the error met in picking it: the forward pass itself must go on."""
    try:
        selected: Array | Exception = select()
    except Exception as error:
        selected = error
    receive(selected)


def refuse_scripted(module: torch.nn.Module) -> None:
    """Raise where hooks would be refused or never fire.

    Raises
    ------
    EncoderError
        For a TorchScript module; the message names the remedy.
    """
    import torch

    if isinstance(module, torch.jit.ScriptModule):
        raise EncoderError(
            f"{type(module).__name__} is TorchScript, whose forward pass cannot be observed; "
            "load the eager model (the checkpoint, not the deployed or scripted file)"
        )


@contextmanager
def call_of(
    owner: Any, method: str, receive: Receiver, select: Callable[..., Tensor]
) -> Iterator[None]:
    """Hand something out of the arguments of a method to ``receive``, before the method runs.

    For packages that replace their modules while they run, so that hooks would be lost.

    Parameters
    ----------
    owner : object
        Whose method it is; it gets an attribute of that name for the length of the context.
    method : str
    receive : callable
    select : callable
        Called with the method's arguments, returns the tensor of shape (n, d).
    """
    listener = (receive, select)
    with _SPYING:
        spy = vars(owner).get(method)
        if not isinstance(spy, _Spy):
            spy = _Spy(getattr(owner, method), method in vars(owner))
            setattr(owner, method, spy)
        spy.listeners = (*spy.listeners, listener)
    try:
        yield
    finally:
        with _SPYING:
            left = list(spy.listeners)
            left.remove(listener)
            spy.listeners = tuple(left)
            if not left and vars(owner).get(method) is spy:
                if spy.shadowed:
                    setattr(owner, method, spy.original)
                else:
                    delattr(owner, method)


_SPYING = Lock()


class _Spy:
    """In the place of a method: tells all listeners of its arguments, and then runs it.

    One for all listeners, of whatever threads: they come and go in any order.
    """

    def __init__(self, original: Callable[..., Any], shadowed: bool) -> None:
        self.original, self.shadowed = original, shadowed
        self.listeners: tuple[tuple[Receiver, Callable[..., Tensor]], ...] = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for receive, select in self.listeners:
            deliver(receive, partial(select, *args, **kwargs))
        return self.original(*args, **kwargs)


@contextmanager
def up_to(module: torch.nn.Module) -> Iterator[None]:
    """Run a model as far as the input of one of its modules, and without gradients.

    The forward pass in the context ends there: what comes after, readout and derivatives, costs
    more than what comes before. A module that is never reached changes nothing.

    Parameters
    ----------
    module : torch.nn.Module
        Listeners that it has already hear of its input.
    """
    import torch

    thread = get_ident()

    def stop(_module: torch.nn.Module, _args: Any) -> None:
        if get_ident() == thread:  # another thread's forward pass goes on
            raise _Reached

    refuse_scripted(module)
    handle = module.register_forward_pre_hook(stop)
    try:
        with torch.no_grad():
            yield
    except _Reached:
        pass
    finally:
        handle.remove()


class _Reached(Exception):  # noqa: N818 - a signal, not an error
    """The forward pass has come far enough."""


@contextmanager
def uncompiled(model: torch.nn.Module) -> Iterator[None]:
    """Run modules that were compiled in place (``module.compile()``) eagerly for a while.

    Parameters
    ----------
    model : torch.nn.Module
        Its submodules are included; their compiled code is kept for later.
    """
    compiled = {module: module._compiled_call_impl for module in model.modules()}
    try:
        for module in compiled:
            module._compiled_call_impl = None
        yield
    finally:
        for module, code in compiled.items():
            module._compiled_call_impl = code


def input_width(module: torch.nn.Module) -> int:
    """Length of the vectors that the first linear layer of a module takes."""
    import torch

    return next(int(m.in_features) for m in module.modules() if isinstance(m, torch.nn.Linear))
