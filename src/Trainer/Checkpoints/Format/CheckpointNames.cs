using System.Globalization;
using System.Text.RegularExpressions;

namespace Opt.Trainer.Checkpoints;

/// <summary>Names of a checkpoint's folder and objects. Whatever does not match was not written by us and is never touched.</summary>
internal static partial class CheckpointNames
{
    /// <summary>Folder of all checkpoints.</summary>
    public const string Root = "checkpoints/";

    /// <summary>Unique: an epoch has one writer, which saves an attempt once.</summary>
    public static string Folder(long step, long attempt, long epoch) =>
        string.Create(CultureInfo.InvariantCulture, $"{Root}step-{step:d9}-attempt-{attempt:d9}-epoch-{epoch:d6}");

    public static string Shard(int rank) => string.Create(CultureInfo.InvariantCulture, $"rank-{rank:d5}.safetensors");

    /// <summary>Epoch of the checkpoint an object of this name belongs to; false when it is none of ours.</summary>
    public static bool TryParse(string objectName, out string folder, out long epoch)
    {
        var match = Pattern().Match(objectName);
        folder = match.Groups["folder"].Value;
        epoch = match.Success ? long.Parse(match.Groups["epoch"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) : 0;
        return match.Success;
    }

    [GeneratedRegex(@"^(?<folder>checkpoints/step-\d{9,18}-attempt-\d{9,18}-epoch-(?<epoch>\d{6,18}))/(rank-\d{5,9}\.safetensors|manifest\.json|slices\.json\.gz)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Pattern();
}
