module my_app

go 1.19
