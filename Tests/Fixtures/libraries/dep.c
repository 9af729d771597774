/* A library that says its version; with NEXT it says that of the library below it. */
#ifdef NEXT
extern int NEXT(void);
int FUNCTION(void) { return NEXT(); }
#else
int FUNCTION(void) { return VERSION; }
#endif
