namespace Opt.Api.V1Alpha1;

/// <summary>One live hyper-parameter.</summary>
public sealed record HyperParameterStatus
{
    /// <summary>Its name, as in overrides.</summary>
    public required string Name { get; init; }

    /// <summary>The value that should be in force.</summary>
    public required string Value { get; init; }

    /// <summary>spec, user, or policy NAME.</summary>
    public required string SetBy { get; init; }

    /// <summary>Since when it has this value; absent for the spec's.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Step at which it was set; absent for the spec's.</summary>
    public long? SinceStep { get; init; }

    /// <summary>The value that every rank of the trainer reports in force; absent before the first step.</summary>
    public string? Reported { get; init; }
}

/// <summary>What one divergence policy did so far.</summary>
public sealed record DivergencePolicyStatus
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Armed, CoolingDown, Exhausted or Shadow.</summary>
    public required string State { get; init; }

    /// <summary>Firings so far, those in Shadow included.</summary>
    public required int Firings { get; init; }

    /// <summary>Rung of the newest firing, 0 for the first.</summary>
    public int? Rung { get; init; }

    /// <summary>When it fired last.</summary>
    public DateTimeOffset? LastFired { get; init; }

    /// <summary>Step at which it fired last.</summary>
    public long? LastStep { get; init; }
}

/// <summary>The answer to a one-shot request.</summary>
public sealed record HandledRequestStatus
{
    /// <summary>checkpoint, rollback, relaunch, diagnose, release-override or resume.</summary>
    public required string Request { get; init; }

    /// <summary>The caller's id.</summary>
    public required string Id { get; init; }

    /// <summary>When it was taken.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What was done, or why not.</summary>
    public required string Answer { get; init; }
}

/// <summary>A place in the step records.</summary>
public sealed record JudgedStatus
{
    /// <summary>Epoch of the record.</summary>
    public required long Epoch { get; init; }

    /// <summary>Attempt of the record.</summary>
    public required long Attempt { get; init; }
}
