// Placeholder until the suites below stand.
import Testing
@testable import FFICore
