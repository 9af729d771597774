/* A good library that is no app. */
int something_else(void);
int something_else(void) { return 1; }
