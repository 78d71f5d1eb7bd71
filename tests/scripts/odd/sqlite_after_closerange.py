import sqlite3, os
c = sqlite3.connect("d.db"); c.execute("create table t(a)"); c.execute("insert into t values (1)"); c.commit(); print(list(c.execute("select * from t"))); c.close(); os.remove("d.db")
