using System.Globalization;
using System.Net;
using Opt.Trainer.Stores;
using Opt.Trainer.Workers;

namespace Opt.Trainer.Agent;

/// <summary>What the pod template tells an agent, by environment variables. Every path is one, so that a kubelet of processes can move it.</summary>
public sealed record AgentOptions
{
    public const int DefaultPort = 9440;

    public required string JobNamespace { get; init; }
    public required string JobName { get; init; }
    public required string JobUid { get; init; }
    public required string PodName { get; init; }
    public required string PodUid { get; init; }
    public required IPAddress PodIp { get; init; }
    public required string NodeName { get; init; }
    public required int Port { get; init; }

    /// <summary>File with the bearer token of the job; read again every few seconds, since Secrets are updated in place.</summary>
    public required string TokenFile { get; init; }

    /// <summary>Whether the agent speaks TLS, with the certificate and key that lie beside the token.</summary>
    public bool Tls { get; init; }

    public required string DataRoot { get; init; }
    public required StoreEnvironment Store { get; init; }

    /// <summary>Workers of this node: one for each accelerator.</summary>
    public required int Workers { get; init; }

    /// <summary>Writable folder of the pod.</summary>
    public required string RunDirectory { get; init; }

    /// <summary>Folders for copies of checkpoint objects, nearest first: shared memory where there is any, then the pod's own folder.</summary>
    public IReadOnlyList<string> CopyFolders => MemoryDirectory is { } memory ? [Path.Combine(memory, "opt-copies"), Path.Combine(RunDirectory, "copies")] : [Path.Combine(RunDirectory, "copies")];

    /// <summary>A folder in memory; null when there is none.</summary>
    public string? MemoryDirectory { get; init; }

    /// <summary>OpenMP and BLAS threads of each worker; null: the processors, divided by the workers.</summary>
    public int? ThreadsPerWorker { get; init; }

    /// <summary>Program and arguments of a worker; OPT_WORKER_COMMAND (words divided by spaces) puts a profiler or debugger in front.</summary>
    public required IReadOnlyList<string> WorkerCommand { get; init; }

    /// <summary>Program and arguments of diagnostics.</summary>
    public IReadOnlyList<string> DiagnoseCommand { get; init; } = OwnProgram("diagnose");

    /// <exception cref="FormatException">A variable is missing or wrong; the message names it and what is allowed.</exception>
    public static AgentOptions Read(Func<string, string?> variable)
    {
        return new()
        {
            JobNamespace = Text("OPT_JOB_NAMESPACE"),
            JobName = Text("OPT_JOB_NAME"),
            JobUid = Text("OPT_JOB_UID"),
            PodName = Text("OPT_POD_NAME"),
            PodUid = Text("OPT_POD_UID"),
            PodIp = IPAddress.TryParse(Text("OPT_POD_IP"), out var ip) ? ip : throw Wrong("OPT_POD_IP", "an IP address"),
            NodeName = Text("OPT_NODE_NAME"),
            Port = variable("OPT_AGENT_PORT") is { Length: > 0 } ? Number("OPT_AGENT_PORT", 1, 65535) : DefaultPort,
            TokenFile = Text("OPT_AGENT_TOKEN_FILE"),
            Tls = variable("OPT_AGENT_TLS") is "1",
            DataRoot = Text(WorkerEnvironment.DataRootVariable),
            Store = StoreEnvironment.Read(variable),
            Workers = Number("OPT_WORKERS", 1, 64),
            RunDirectory = Text(WorkerEnvironment.RunDirectoryVariable),
            MemoryDirectory = variable("OPT_MEMORY_DIR") is { Length: > 0 } memory ? memory : null,
            ThreadsPerWorker = variable("OPT_THREADS_PER_WORKER") is { Length: > 0 } ? Number("OPT_THREADS_PER_WORKER", 1, 1024) : null,
            WorkerCommand = variable("OPT_WORKER_COMMAND") is { Length: > 0 } command ? command.Split(' ', StringSplitOptions.RemoveEmptyEntries) : OwnProgram("worker"),
        };

        string Text(string name) => variable(name) is { Length: > 0 } text ? text : throw new FormatException($"{name} is not set: opt-trainer agent runs in a pod of an OptTrainingJob");

        int Number(string name, int least, int most) =>
            int.TryParse(Text(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number : throw Wrong(name, $"a whole number of {least} to {most}");

        FormatException Wrong(string name, string allowed) => new($"{name} is \"{variable(name)}\", which is not {allowed}");
    }

    /// <summary>This program with other arguments.</summary>
    internal static IReadOnlyList<string> OwnProgram(params string[] arguments)
    {
        var program = Environment.ProcessPath!;
        return Path.GetFileNameWithoutExtension(program) == "dotnet" ? [program, Path.Combine(AppContext.BaseDirectory, "opt-trainer.dll"), .. arguments] : [program, .. arguments];
    }
}
