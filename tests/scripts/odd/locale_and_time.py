# environment: LC_ALL=C.UTF-8 TZ=Asia/Tokyo
import locale, time
print(locale.setlocale(locale.LC_ALL, ""), time.strftime("%Z", time.localtime(0)))
