// Measures checkpoints: the stall of a save beside a plain copy, uploads and downloads beside the Azure SDK's own parallel transfer and beside cp, restores
// from the node, a folder and a blob container, and what an upload costs a computation beside it.
// Arguments: MiB of one rank's state (default 192), rounds (default 5). Prints one JSON line a figure.
using System.Globalization;
using Opt.Bench.Checkpoints;

var mebibytes = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 192;
var rounds = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 5;
var azurite = Path.Combine(Environment.CurrentDirectory, ".cache", "npm", "node_modules", ".bin", "azurite-blob");
var shard = new Shard(mebibytes);
await Saves.MeasureAsync(shard, rounds);
await DirectoryTransfers.MeasureAsync(shard, rounds);
if (File.Exists(azurite)) await BlobTransfers.MeasureAsync(azurite, shard, rounds);
else Console.Error.WriteLine($"{azurite} is not there (eng/install.sh test): no figures of the blob store");
return 0;
