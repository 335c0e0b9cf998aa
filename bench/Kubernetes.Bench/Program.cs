// Measures the client runtime: list and watch of many pods over HTTPS from an API server in another process (time, bytes, memory, beside curl),
// and events a second through informer and controller from a canned stream.
// Prints one JSON line a figure: {"name", "unit", "median", "min", "max", "samples"}.
using System.Globalization;
using Opt.Bench.Kubernetes;

if (args is ["serve", var file]) return await ApiServerProcess.ServeAsync(file);
var pods = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 10_000;
await CannedStream.MeasureAsync(pods, events: 5 * pods);
await ListAndWatch.MeasureAsync(pods);
return 0;
