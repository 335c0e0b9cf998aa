using System.Globalization;

namespace Opt.Trainer.Workers;

/// <summary>What an agent tells a worker it starts, by environment variables.</summary>
public sealed record WorkerEnvironment
{
    public const string RankVariable = "OPT_RANK";
    public const string LocalRankVariable = "OPT_LOCAL_RANK";
    public const string PlanFileVariable = "OPT_PLAN_FILE";
    public const string ChannelVariable = "OPT_CHANNEL_FD";
    public const string DataRootVariable = "OPT_DATA_ROOT";
    public const string RunDirectoryVariable = "OPT_RUN_DIR";

    /// <summary>File of the <see cref="FlightRecorder"/>; absent where there is none.</summary>
    public const string FlightVariable = "OPT_FLIGHT_FILE";

    /// <summary>Global rank; the plan gives everything else by it.</summary>
    public required int Rank { get; init; }

    /// <summary>Rank within the node: the index of the accelerator.</summary>
    public required int LocalRank { get; init; }

    /// <summary>File with the <see cref="Api.Protocol.RunPlan"/> as JSON.</summary>
    public required string PlanFile { get; init; }

    /// <summary>Open descriptor of the socket to the agent; JSON lines both ways.</summary>
    public required int ChannelDescriptor { get; init; }

    /// <summary>Folder below which relative corpus paths lie.</summary>
    public required string DataRoot { get; init; }

    /// <summary>Writable folder of this pod.</summary>
    public required string RunDirectory { get; init; }

    /// <summary>Where to write down what the rank does; null: nowhere.</summary>
    public string? FlightFile { get; init; }

    /// <summary>Reads the variables of this process.</summary>
    /// <exception cref="FormatException">One is missing or not a number; the message names it.</exception>
    public static WorkerEnvironment Read() => Read(Environment.GetEnvironmentVariable);

    public static WorkerEnvironment Read(Func<string, string?> variable)
    {
        return new()
        {
            Rank = Number(RankVariable),
            LocalRank = Number(LocalRankVariable),
            PlanFile = Text(PlanFileVariable),
            ChannelDescriptor = Number(ChannelVariable),
            DataRoot = Text(DataRootVariable),
            RunDirectory = Text(RunDirectoryVariable),
            FlightFile = variable(FlightVariable) is { Length: > 0 } file ? file : null,
        };

        string Text(string name) => variable(name) is { Length: > 0 } text
            ? text
            : throw new FormatException($"{name} is not set: a worker is started by its agent (opt-trainer agent)");

        int Number(string name) => int.TryParse(Text(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FormatException($"{name} is \"{variable(name)}\", which is not a whole number of at least 0");
    }
}
