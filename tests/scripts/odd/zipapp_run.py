import zipfile, subprocess, sys
z = zipfile.ZipFile("a.pyz", "w"); z.writestr(zipfile.ZipInfo("__main__.py"), "import sys; print(__file__, sys.argv)"); z.close()
print(subprocess.run([sys.executable, "a.pyz", "q"], capture_output=True, text=True).stdout)
