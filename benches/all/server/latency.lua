-- What wrk measured, as a line of JSON.
done = function(summary, latency, requests)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   io.write(string.format(
      '{"requests":%d,"microseconds":%d,"failed":%d,"median":%.1f,"p99":%.1f,"p999":%.1f}\n',
      summary.requests, summary.duration, failed,
      latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
