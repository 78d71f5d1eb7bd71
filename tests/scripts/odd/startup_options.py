import sys; print(sys.orig_argv[1:] if len(sys.orig_argv) > 2 else "", sys.argv[1:], sys.flags.safe_path, sys.executable == sys.orig_argv[0] or True)
