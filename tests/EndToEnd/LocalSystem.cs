using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Opt.Testing;

namespace Opt.EndToEnd;

/// <summary>
/// The shipped programs as a user runs them: <c>opt-local up</c>, <c>opt-operator run</c> as a process of its own, and kubectl.
/// Disposing ends both and everything they started.
/// </summary>
internal sealed class LocalSystem : IAsyncDisposable
{
    private static readonly string Kubectl = Repo.PathOf(".cache", "tools", "kubectl");
    private readonly string _folder = Directory.CreateTempSubdirectory("opt-e2e-").FullName;
    private readonly List<Process> _processes = [];

    private LocalSystem(string? checkpoints) => Checkpoints = checkpoints ?? Path.Combine(_folder, "checkpoints");

    public string Kubeconfig => Path.Combine(_folder, "kubeconfig");
    public string Checkpoints { get; }
    public Process Operator { get; private set; } = null!;
    private string State => Path.Combine(_folder, "state");

    /// <summary>Starts both programs and installs the CRDs.</summary>
    /// <param name="checkpoints">The store's folder, which outlives the system; null for one of its own.</param>
    public static async Task<LocalSystem> StartAsync(int nodes, CancellationToken ct, string? checkpoints = null)
    {
        var system = new LocalSystem(checkpoints);
        Directory.CreateDirectory(system.Checkpoints);
        system.Start("opt-local", "up", "--kubeconfig-out", system.Kubeconfig, "--state-dir", system.State, "--nodes", $"{nodes}", "--accelerators-per-node", "1",
            "--node-monitor-grace-period", "8s",
            "--image", $"opt-trainer:local={Repo.PathOf("bin", "opt-trainer")}",
            "--host-path", $"/var/lib/opt/data={Repo.PathOf(".cache", "corpus")}", "--host-path", $"/var/lib/opt/checkpoints={system.Checkpoints}");
        await system.EventuallyAsync("the API server answers", async () => File.Exists(system.Kubeconfig) && (await system.TryKubectlAsync(ct, "get", "--raw", "/readyz")).ExitCode == 0, ct);
        await system.KubectlAsync(ct, "apply", "-f", Repo.PathOf("crds"));
        await system.KubectlAsync(ct, "wait", "--for=condition=Established", "crd/opttrainingjobs.training.opt-operator.io", "--timeout=100s");
        system.StartOperator();
        return system;
    }

    public void StartOperator() => Operator = Start("opt-operator", "run", "--kubeconfig", Kubeconfig, "--status-interval", "1s");

    /// <summary>Ends everything at once, without a chance to save or to say goodbye, as when a cluster is deleted.</summary>
    public async Task DestroyAsync(CancellationToken ct)
    {
        foreach (var process in _processes.Where(p => !p.HasExited))
        {
            process.Kill();
            await process.WaitForExitAsync(ct);
        }
    }

    /// <summary>Runs <c>opt-local node ACTION NAME</c>.</summary>
    public Task NodeAsync(string action, string node, CancellationToken ct) =>
        RunToEndAsync(Repo.PathOf("bin", "opt-local"), ["node", action, node, "--state-dir", State], ct);

    public async Task<JsonNode> GetAsync(CancellationToken ct, params string[] what) => JsonNode.Parse(await KubectlAsync(ct, ["get", .. what, "-o", "json"]))!;

    /// <summary>Runs kubectl and returns its standard output.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message holds what it said.</exception>
    public Task<string> KubectlAsync(CancellationToken ct, params string[] arguments) => RunToEndAsync(Kubectl, ["--kubeconfig", Kubeconfig, .. arguments], ct);

    public Task<(int ExitCode, string Output)> TryKubectlAsync(CancellationToken ct, params string[] arguments) => RunAsync(Kubectl, ["--kubeconfig", Kubeconfig, .. arguments], ct);

    /// <summary>Writes <paramref name="manifest"/> to a file and applies it.</summary>
    public async Task<(int ExitCode, string Output)> ApplyAsync(string manifest, CancellationToken ct)
    {
        var file = Path.Combine(_folder, "manifest.yaml");
        await File.WriteAllTextAsync(file, manifest, ct);
        return await TryKubectlAsync(ct, "apply", "-f", file);
    }

    /// <summary>Polls until <paramref name="condition"/> holds.</summary>
    /// <exception cref="TimeoutException">It did not within <paramref name="seconds"/>; the message holds the programs' last output.</exception>
    public async Task EventuallyAsync(string what, Func<Task<bool>> condition, CancellationToken ct, int seconds = 120)
    {
        var deadline = TimeProvider.System.GetTimestamp() + seconds * TimeProvider.System.TimestampFrequency;
        while (!await condition())
        {
            if (TimeProvider.System.GetTimestamp() > deadline) throw new TimeoutException($"Not within {seconds} s: {what}.\n{Diagnosis()}");
            await Task.Delay(TimeSpan.FromMilliseconds(600), TimeProvider.System, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Enumerable.Reverse(_processes))
        {
            if (!process.HasExited) Interrupt(process);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20), TimeProvider.System);
            try
            {
                await process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
            }

            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static void Interrupt(Process process) => Process.Start("kill", ["-INT", $"{process.Id}"]).WaitForExit();

    private string Diagnosis()
    {
        var text = new StringBuilder();
        foreach (var log in Directory.GetFiles(_folder, "*.log"))
        {
            text.AppendLine($"--- {Path.GetFileName(log)}").AppendJoin('\n', File.ReadLines(log).TakeLast(40)).AppendLine();
        }

        return text.ToString();
    }

    private Process Start(string program, params string[] arguments)
    {
        var log = Path.Combine(_folder, $"{program}-{_processes.Count}.log");
        // The shell only redirects; exec makes the program itself the child, so that signals reach it.
        var start = new ProcessStartInfo("/bin/sh", ["-c", $"exec \"$0\" \"$@\" >>'{log}' 2>&1", Repo.PathOf("bin", program), .. arguments]) { WorkingDirectory = Repo.PathOf() };
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
        _processes.Add(process);
        return process;
    }

    private static async Task<string> RunToEndAsync(string program, string[] arguments, CancellationToken ct)
    {
        var (exitCode, output) = await RunAsync(program, arguments, ct);
        return exitCode == 0 ? output : throw new InvalidOperationException($"{Path.GetFileName(program)} {string.Join(' ', arguments)} exited {exitCode}: {output}");
    }

    internal static async Task<(int ExitCode, string Output)> RunAsync(string program, string[] arguments, CancellationToken ct)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Repo.PathOf() };
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start");
        var stdout = process.StandardOutput.ReadToEndAsync(ct);
        var stderr = process.StandardError.ReadToEndAsync(ct);
        await process.WaitForExitAsync(ct);
        var (said, complained) = (await stdout, await stderr);
        return (process.ExitCode, process.ExitCode == 0 ? said : said + complained);
    }
}
