# Functions of the C library's mathematics, as they are: none changes anything, all may run at once.
library libm.so.6 pure threadsafe

/pow   = pow(x: f64, y: f64) -> f64
/hypot = hypot(x: f64, y: f64) -> f64
/gamma = tgamma(x: f64) -> f64

# The exponent comes out through a pointer, and becomes a second member of the answer.
/frexp = frexp(x: f64, exponent: out i32) -> f64

# What the operator allows can be narrower than the type.
/bessel = jn(order: i32 in 0..100, x: f64) -> f64
