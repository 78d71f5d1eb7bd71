"""First code of ours in every Python that a recorded script starts, the script's own included.

`graphlens record` puts this directory in front of PYTHONPATH, so that `site` imports this file
instead of another `sitecustomize`; the one it hides is run at the end. Three rules:

* It is valid from Python 2.7 on: an interpreter that we can't follow must not meet a syntax error
  of ours. Below 3.11 it leaves an empty file `untraced-VERSION-PID` in the run directory, which the
  host counts, and nothing else.
* It costs next to nothing: everything else of ours is loaded when a framework is imported.
* It leaves no trace: its directory goes out of sys.path (not out of the environment, so that
  children inherit it), and sys.modules holds a `sitecustomize` only where it would without us.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_OURS = os.path.dirname(os.path.dirname(_HERE))  # the directory that holds graphlens_tracers

# Frames of this file inside an import look like importlib's own: Python cuts those out of the
# tracebacks it prints, and `warnings` counts past them, so that both read as they do without us.
_AS_IMPORTLIB = "<frozen importlib._bootstrap_external>"


def _leave_path():
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _HERE]
    sys.path_importer_cache.pop(_HERE, None)


def _note_untraced(run):
    name = "untraced-%d.%d-%d" % (sys.version_info[0], sys.version_info[1], os.getpid())
    try:
        os.close(os.open(os.path.join(run, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return  # the run directory is gone, or not ours to write: nobody is left to be told


class _Finder(object):
    """Serves `graphlens_tracers` from our own location, and sees when a framework is imported.

    No sibling file of the script's can stand in for `graphlens_tracers`, and the interpreter need
    not have it installed. Every other module is found by the finders that come after this one.
    """

    def __init__(self, triggers):
        self._triggers = triggers
        self._looking = False

    def find_spec(self, name, path=None, target=None):
        if name == "graphlens_tracers":
            from _frozen_importlib_external import PathFinder

            return PathFinder.find_spec(name, [_OURS])
        if name not in self._triggers or self._looking:
            return None
        self._looking = True
        try:
            spec = _find_elsewhere(self, name, path, target)
        finally:
            self._looking = False
        if spec is not None:
            _watch(spec, name)
        return spec


def _find_elsewhere(finder, name, path, target):
    for other in list(sys.meta_path):
        look = getattr(other, "find_spec", None)
        if other is finder or look is None:
            continue
        spec = look(name, path, target)
        if spec is not None:
            return spec
    return None


def _watch(spec, name):
    """Run our code right before and right after the module's own.

    The loader stays the module's real one: what is replaced is `exec_module` of this instance, and
    only until it was called. That also sees lazy loaders and hand-made imports.
    """
    loader = spec.loader
    execute = getattr(loader, "exec_module", None)
    if execute is None or isinstance(loader, type) or not hasattr(loader, "__dict__"):
        return

    def exec_module(module):
        _unseen("before", name)
        try:
            execute(module)
        finally:
            loader.__dict__.pop("exec_module", None)
        _unseen("after", name)

    exec_module.__code__ = exec_module.__code__.replace(co_filename=_AS_IMPORTLIB)
    loader.exec_module = exec_module


def _unseen(moment, *arguments):
    """Call `arrival.MOMENT(...)` out of sight of the script's own trace and profile functions."""
    trace, profile = sys.gettrace(), sys.getprofile()
    if trace is not None:
        sys.settrace(None)
    if profile is not None:
        sys.setprofile(None)
    try:
        from graphlens_tracers import arrival

        getattr(arrival, moment)(*arguments)
    except Exception as error:
        _complain("the recording is not complete: %s: %s" % (type(error).__name__, error))
    finally:
        if profile is not None:
            sys.setprofile(profile)
        if trace is not None:
            sys.settrace(trace)


_complained = []


def _complain(message):
    if _complained:
        return
    _complained.append(message)
    line = " ".join(("graphlens: " + message).split()) + "\n"
    try:
        # By descriptor: sys.stderr may be anything.
        os.write(2, line.encode("utf-8", "replace"))
    except (OSError, MemoryError):
        return  # the script closed its standard error, or nothing can be said


def _finish():
    if "graphlens_tracers.arrival" in sys.modules:
        _unseen("finish")


def _begin(run):
    if sys.version_info < (3, 11):
        _note_untraced(run)
        return
    triggers = frozenset(filter(None, os.environ.get("GRAPHLENS_TRIGGERS", "").split(",")))
    if not triggers:
        return
    import atexit

    for function in (_Finder.find_spec, _find_elsewhere, _watch, _unseen):
        function.__code__ = function.__code__.replace(co_filename=_AS_IMPORTLIB)
    # First in, last out: operations in the script's own exit functions are still seen.
    atexit.register(_finish)
    sys.meta_path.insert(0, _Finder(triggers))


def _chain():
    """Run the sitecustomize that this one hides, as Python would have.

    When there is none, the ImportError leaves this file too: `site` takes it for the answer to its
    own question and goes on, and sys.modules is as it would be without us.
    """
    sys.modules.pop("sitecustomize", None)
    import sitecustomize  # noqa: F401


_leave_path()
if os.environ.get("GRAPHLENS_RUN"):
    try:
        _begin(os.environ["GRAPHLENS_RUN"])
    except Exception as error:
        _complain("not recording: %s: %s" % (type(error).__name__, error))
_chain()
