import Control
import Testing

@testable import Watch

@Suite struct MetricsTests {
  @Test("families are declared once and before their samples, and labels are escaped")
  func families() {
    let lines = Metrics.text(exampleSnapshot()).split(separator: "\n").map { String($0) }
    var declared: Set<Substring> = []
    var types: [Substring: Substring] = [:]
    for line in lines {
      let words = line.split(separator: " ")
      if line.hasPrefix("# TYPE ") {
        #expect(declared.insert(words[2]).inserted, "\(line)")
        types[words[2]] = words[3]
      } else if !line.hasPrefix("#") {
        let name = line.prefix { $0 != "{" && $0 != " " }
        let isKnown = declared.contains {
          name == $0 || (["histogram", "summary"].contains(types[$0]) && name.hasPrefix($0 + "_"))
        }
        #expect(isKnown, "\(line)")
      }
    }
    #expect(lines.contains("nsgi_requests_total{app=\"/\",code=\"2xx\"} 40"))
    #expect(lines.contains("nsgi_requests_total{app=\"\",code=\"4xx\"} 2"))
    #expect(lines.contains("nsgi_change_phase_seconds_sum{phase=\"rolling\"} 1.5"))
    #expect(lines.contains("nsgi_worker_websockets{worker=\"2\",pid=\"102\"} 6"))
    #expect(lines.contains("nsgi_worker_dropped_messages_total{worker=\"2\",pid=\"102\"} 22"))
    #expect(lines.contains("nsgi_worker_tls_handshakes_beside_total{worker=\"2\",pid=\"102\"} 14"))
    #expect(lines.contains("nsgi_static_requests_total 1"))
    #expect(lines.contains("nsgi_late_requests_total{app=\"/\"} 4"))
    #expect(lines.contains("nsgi_zygotes{state=\"ready\"} 1"))
    #expect(lines.contains("nsgi_zygote_resident_bytes{pid=\"90\"} \(30 << 20)"))
    #expect(lines.contains("nsgi_change_phase_seconds_count{phase=\"rolling\"} 2"))
    #expect(lines.contains("nsgi_swap_gate_refusals_total{figure=\"p99\"} 1"))
    #expect(lines.contains("nsgi_swap_compared_errors{app=\"/\",build=\"new\"} 4"))
    #expect(lines.contains("nsgi_swap_compared_growth_bytes{app=\"/\",build=\"before\"} -4096"))
    let time = "nsgi_swap_compared_duration_seconds{app=\"/\",build=\"new\",share=\"0.99\"} 0.051"
    #expect(lines.contains(time))
    #expect(lines.contains("nsgi_app_generation{app=\"/\",name=\"shop \\\"1\\\"\\n\\\\\"} 4"))
  }

  @Test("a histogram counts up to its count")
  func histogram() {
    let text = Metrics.text(exampleSnapshot())
    let bucket = "nsgi_request_duration_seconds_bucket{app=\"/\",le="
    #expect(text.contains("\(bucket)\"0.0001\"} 0\n") && text.contains("\(bucket)\"0.0002\"} 40\n"))
    #expect(text.contains("\(bucket)\"100\"} 40\n") && text.contains("\(bucket)\"+Inf\"} 40\n"))
    #expect(text.contains("nsgi_request_duration_seconds_sum{app=\"/\"} 0.006\n"))
    #expect(text.contains("nsgi_request_duration_seconds_count{app=\"/\"} 40\n"))
  }

  @Test(
    "microseconds as seconds",
    arguments: [(0, "0"), (10, "0.00001"), (1_500_000, "1.5"), (100_000_000, "100"), (1, "0.000001")])
  func seconds(microseconds: UInt64, text: String) {
    #expect(Metrics.seconds(microseconds) == text)
  }
}
