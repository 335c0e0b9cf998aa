using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Opt.Api.Protocol;
using Opt.Trainer.Data;
using Opt.Trainer.Parallel;
using static Opt.Torch.torch;

namespace Opt.Trainer.Loop;

/// <summary>Digests that say whether two runs read the same data, and whether they would compute the same bits.</summary>
internal static class RunIdentity
{
    /// <summary>Digest of seed, order, sequence length and corpora: a data cursor is only meaningful with the same one.</summary>
    public static string DataFingerprint(TrainingConfig config, Dataset data) => Hash(
    [
        config.Seed.ToString(CultureInfo.InvariantCulture), config.Data.Order.ToString(), config.SequenceLength.ToString(CultureInfo.InvariantCulture),
        .. data.Corpora.Zip(config.Data.Train, (c, spec) => string.Create(CultureInfo.InvariantCulture, $"{c.Metadata.BytesDigest} {c.Metadata.Tokens} {spec.Weight}")),
    ]);

    /// <summary>Digest of layout, precision, device, library, processor and threads: equal means that a resume is exact bit for bit.</summary>
    public static string EnvironmentHash(TrainingConfig config, Mesh mesh, Device device) => Hash(
    [
        $"{mesh.WorldSize} {mesh.TensorParallel} {mesh.ShardParallel} {config.MasterWeights} {config.MicroBatchSequences} {config.Precision} {config.ActivationCheckpointing}",
        $"{device.type} {__version__} {RuntimeInformation.ProcessArchitecture} {ProcessorModel()}",
        $"{get_num_threads()} {Environment.GetEnvironmentVariable("OMP_NUM_THREADS")} {Environment.GetEnvironmentVariable("OPENBLAS_NUM_THREADS")}",
    ]);

    private static string ProcessorModel() => File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) ?? ""
        : "";

    private static string Hash(IEnumerable<string> parts) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', parts))));
}
