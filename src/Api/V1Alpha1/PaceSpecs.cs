using System.Text.Json.Serialization;

namespace Opt.Api.V1Alpha1;

/// <summary>
/// A machine whose ranks work longer than the others' in nearly every attempt; waiting for others is not work. The evidence is statistical, so
/// it is only told unless mode is Enforce: then the job saves, and the node is put aside and replaced.
/// </summary>
public sealed record StragglerSpec
{
    /// <summary>How many times longer than the median rank, in the median attempt.</summary>
    public double Factor { get; set; } = 1.25;

    /// <summary>Attempts of an epoch that are judged, the newest; the machine must be the slowest in four of five.</summary>
    public int ForSteps { get; set; } = 100;

    /// <summary>Most replacements within the window; 0 forbids them.</summary>
    public int Limit { get; set; } = 2;

    /// <summary>Length of the sliding window.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan Window { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Enforce: replace the node. Shadow: record what would have been done.</summary>
    public PolicyMode Mode { get; set; } = PolicyMode.Shadow;
}

/// <summary>
/// Attempts that take much longer than they did after the best launch on as many machines. With no machine to blame the remedy is a save and
/// a relaunch in place; it is only told unless mode is Enforce.
/// </summary>
public sealed record SlowdownSpec
{
    /// <summary>How many times longer the median attempt takes, checkpoint stalls left out.</summary>
    public double Factor { get; set; } = 1.5;

    /// <summary>Attempts that are compared: the newest with those after a launch.</summary>
    public int ForSteps { get; set; } = 100;

    /// <summary>Most relaunches within the window; 0 forbids them.</summary>
    public int Limit { get; set; } = 2;

    /// <summary>Length of the sliding window.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan Window { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Enforce: relaunch. Shadow: record what would have been done.</summary>
    public PolicyMode Mode { get; set; } = PolicyMode.Shadow;
}
