import CNSGI
import Host

/// The functions that nsgi.h has since minor 1, for an exchange of the exercise.
extension ExerciseExchange {
  func interim(_ status: Int32, _ fields: UnsafePointer<nsgi_pair>?, _ count: Int) -> Int32 {
    use("interim()", gone: NSGI_GONE.rawValue) { take(response.interim(status, fields, count)) }
  }

  func trailers(_ fields: UnsafePointer<nsgi_pair>?, _ count: Int) -> Int32 {
    use("trailers()", gone: NSGI_GONE.rawValue) { take(response.trailers(fields, count)) }
  }

  /// - Parameter streams: the body comes while the application reads it.
  func requestTrailers(_ count: UnsafeMutablePointer<Int>?, streams: Bool) -> UnsafePointer<nsgi_pair>? {
    count?.pointee = 0
    return use("request_trailers()", gone: nil) {
      guard !streams || hasGivenBody || bytesRead == request.body.n else { return nil }
      count?.pointee = request.trailerCount
      return UnsafePointer(request.trailers)
    }
  }
}
