using Opt.Api.V1Alpha1;

namespace Opt.Trainer.Checkpoints;

/// <summary>How a run does as of a step.</summary>
/// <param name="LastBadStep">Newest step that was not good; 0 for none.</param>
/// <param name="Trouble">Why the newest step is not a good one; null when it is.</param>
/// <param name="Trends">Null before the first applied step.</param>
internal sealed record HealthRecord(long LastBadStep = 0, string? Trouble = null, HealthTrends? Trends = null);

/// <summary>What is to be said of a checkpoint.</summary>
/// <param name="Entry">Number of its commit entry.</param>
internal sealed record HealthFinding(long Entry, HealthVerdict Verdict, string Reason);
