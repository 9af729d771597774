# Nomad: three of the application, replaced one at a time, each after it has been healthy for ten seconds; a version that is
# not healthy is taken back. A change of the file alone swaps inside the tasks that run.
#   nomad job run app.nomad.hcl
job "app" {
  datacenters = ["dc1"]
  type        = "service"

  update {
    max_parallel     = 1
    canary           = 1
    auto_promote     = true
    auto_revert      = true
    health_check     = "checks"
    min_healthy_time = "10s"
    healthy_deadline = "2m"
  }

  group "app" {
    count = 3

    constraint {
      operator = "distinct_hosts"
      value    = "true"
    }

    network {
      port "http" {}
      port "agent" {}
      port "metrics" {}
    }

    service {
      name     = "app"
      provider = "nomad"
      port     = "http"

      check {
        type     = "http"
        path     = "/readyz"
        interval = "2s"
        timeout  = "1s"
      }
    }

    task "server" {
      driver = "exec"
      user   = "nobody"

      # The service is taken from the list first, and the task is told to stop after that; then it answers what it has.
      shutdown_delay = "5s"
      kill_signal    = "SIGTERM"
      kill_timeout   = "70s"

      config {
        command = "/usr/local/bin/server"
        args = [
          "--pythonpath=/local/app",
          "--module=app",
          "--http-socket=:${NOMAD_PORT_http}",
          "--agent-check=*:${NOMAD_PORT_agent}",
          "--metrics=*:${NOMAD_PORT_metrics}",
          "--control-socket=/alloc/control.sock",
          "--processes=2",
          "--health-path=/healthz",
          "--ready-path=/readyz",
        ]
      }

      template {
        destination = "local/app/app.py"
        change_mode = "script"
        data        = <<PYTHON
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'Version one\n']
PYTHON

        change_script {
          command       = "/usr/local/bin/server"
          args          = ["ctl", "--control-socket", "/alloc/control.sock", "swap"]
          timeout       = "60s"
          fail_on_error = false
        }
      }

      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
