# stdin: yes\nno\n
print(input("? "), input())
try: input()
except EOFError as e: print("eof", e)
