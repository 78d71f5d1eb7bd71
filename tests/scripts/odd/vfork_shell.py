import os; print(os.system("exit 3") >> 8, os.popen("echo hi").read())
