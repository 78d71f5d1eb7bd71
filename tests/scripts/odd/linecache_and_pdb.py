# stdin: w\nn\np x\nc\n
import pdb
x = 3
pdb.set_trace()
x += 1
print(x)
