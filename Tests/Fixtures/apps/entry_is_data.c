/* A library whose nsgi_entry is a variable. */
__attribute__((visibility("default"))) int nsgi_entry = 7;
