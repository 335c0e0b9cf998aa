using System.Text.Json.Serialization;

namespace Opt.Api.V1Alpha1;

/// <summary>Productive time within a window that ends now.</summary>
public sealed record GoodputWindow
{
    /// <summary>1h or 24h.</summary>
    public required string Window { get; init; }

    /// <summary>Productive seconds of a hundred.</summary>
    public required double Percent { get; init; }

    /// <summary>Seconds of the window that the ledger covers.</summary>
    public required double Seconds { get; init; }

    /// <summary>Unproductive seconds of the window by account, those that have any.</summary>
    public EquatableList<LedgerAccount> Accounts { get; set; } = [];

    /// <summary>The same seconds by cause and node, the largest 8; the rest is under Other.</summary>
    public EquatableList<LostTime> Lost { get; set; } = [];
}

/// <summary>Productive time within one span of the clock.</summary>
public sealed record GoodputSpan
{
    /// <summary>When it began.</summary>
    public required DateTimeOffset From { get; init; }

    /// <summary>Its length: 5 or 60.</summary>
    public required int Minutes { get; init; }

    /// <summary>Seconds that the ledger covers.</summary>
    public required double Seconds { get; init; }

    /// <summary>Productive ones of them.</summary>
    public required double Productive { get; init; }

    /// <summary>The others by account.</summary>
    public EquatableList<LedgerAccount> Accounts { get; set; } = [];

    /// <summary>The others by cause and node, the largest 4; the rest is under Other.</summary>
    public EquatableList<LostTime> Lost { get; set; } = [];
}

/// <summary>What the ledger said at one time, to tell later what was added since.</summary>
public sealed record LedgerMark
{
    /// <summary>When.</summary>
    public required DateTimeOffset Since { get; init; }

    /// <summary>The epoch then.</summary>
    public required long Epoch { get; init; }

    /// <summary>The step reached then.</summary>
    public required long Step { get; init; }

    /// <summary>The accounts then.</summary>
    public EquatableList<LedgerAccount> Goodput { get; set; } = [];
}

/// <summary>Unproductive time of one cause.</summary>
public sealed record LostTime
{
    /// <summary>The cause of the launch it belongs to, Checkpoint for stalls, or Pause.</summary>
    public required string Cause { get; init; }

    /// <summary>The node held responsible, if one was.</summary>
    public string? Node { get; init; }

    /// <summary>Seconds lost to it so far.</summary>
    public required double Seconds { get; init; }
}

/// <summary>What the measured failures and stalls say. Before there are many, the rate leans on one failure of a node in 62 days, as OPT-175B had.</summary>
public sealed record AdviceStatus
{
    /// <summary>Failures counted since the job started.</summary>
    public required int Failures { get; init; }

    /// <summary>Failures of the job to be expected in a day.</summary>
    public required double FailuresPerDay { get; init; }

    /// <summary>Median seconds that a checkpoint stops training; 0 while not measured.</summary>
    public required double CheckpointStallSeconds { get; init; }

    /// <summary>The interval that loses the least time to stalls and to steps done again (Daly, FGCS 22, 2006); null while no stall is measured.</summary>
    [JsonConverter(typeof(DurationConverter))]
    public TimeSpan? CheckpointEvery { get; init; }

    /// <summary>Spares that suffice for 99 of 100 times until failed machines are replenished, which is taken as 12 hours.</summary>
    public required int SpareNodes { get; init; }
}
