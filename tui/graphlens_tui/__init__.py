"""The terminal UI. `graphlens_tui.app.run(session)` is its one entry point."""
