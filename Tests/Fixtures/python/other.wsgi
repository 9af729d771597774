def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return ['{} {}'.format(environ['SCRIPT_NAME'], environ['PATH_INFO']).encode('latin-1')]

app = application
