import CNSGI
