using System.Diagnostics;
using System.Text;
using Opt.Testing;

namespace Opt.EndToEnd;

/// <summary><c>opt-local up</c> as a process of its own, and the tools that a user points at it. Disposing ends it and everything it started.</summary>
public sealed class ControlPlane : IAsyncDisposable
{
    private static readonly string Tools = Repo.PathOf(".cache", "tools");
    private readonly string[] _flags;
    private Process? _process;

    private ControlPlane(string folder, string[] flags) => (Folder, _flags) = (folder, flags);

    /// <summary>A scratch folder, also the home of the tools.</summary>
    public string Folder { get; }

    public string State => Path.Combine(Folder, "state");

    public string Output => Path.Combine(Folder, "opt-local.out");

    private string Kubeconfig => Path.Combine(Folder, "kubeconfig");

    public static async Task<ControlPlane> StartAsync(CancellationToken ct, params string[] flags)
    {
        foreach (var tool in (string[])["helm", "kubectl", "kubectl-1.32"])
        {
            if (!File.Exists(Path.Combine(Tools, tool))) throw new FileNotFoundException($"{tool} is not in {Tools}. Run eng/helm.sh; `make test` does.");
        }

        var plane = new ControlPlane(Directory.CreateTempSubdirectory("opt-up-").FullName, flags);
        await plane.UpAsync(ct);
        return plane;
    }

    /// <summary>Starts the program, again after <see cref="KillAsync"/>, and waits until it serves.</summary>
    public async Task UpAsync(CancellationToken ct)
    {
        File.Delete(Kubeconfig);
        string[] arguments = ["up", "--state-dir", State, "--kubeconfig-out", Kubeconfig, .. _flags];
        // The shell only redirects; exec makes the program itself the child, so that signals reach it.
        var start = new ProcessStartInfo("/bin/sh", ["-c", $"exec \"$0\" \"$@\" >>'{Output}' 2>&1", Repo.PathOf("artifacts", "bin", "LocalCluster", "release", "opt-local"), .. arguments]);
        _process = Process.Start(start) ?? throw new InvalidOperationException("opt-local did not start");
        await EventuallyAsync("the API server answers", async () => File.Exists(Kubeconfig) && (await TryAsync("kubectl", ct, "get", "--raw", "/readyz")).Code == 0, ct);
    }

    /// <summary>Ends the program by SIGKILL, without a chance to clean up.</summary>
    public async Task KillAsync(CancellationToken ct)
    {
        _process!.Kill();
        await _process.WaitForExitAsync(ct);
    }

    /// <summary>Runs kubectl and returns what it printed.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message holds what it said.</exception>
    public Task<string> KubectlAsync(CancellationToken ct, params string[] arguments) => RunAsync("kubectl", ct, arguments);

    /// <summary>Runs a tool of <c>.cache/tools</c> and returns what it printed on standard output.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message holds what it said.</exception>
    public async Task<string> RunAsync(string tool, CancellationToken ct, params string[] arguments)
    {
        var (code, output, error) = await TryAsync(tool, ct, arguments);
        return code == 0 ? output : throw new InvalidOperationException($"{tool} {string.Join(' ', arguments)} exited {code}: {output}{error}\n{Diagnosis()}");
    }

    public Task<(int Code, string Output, string Error)> TryAsync(string tool, CancellationToken ct, params string[] arguments) => EditAsync(tool, arguments, "true", ct);

    /// <param name="editor">What <c>kubectl edit</c> starts.</param>
    public async Task<(int Code, string Output, string Error)> EditAsync(string tool, string[] arguments, string editor, CancellationToken ct)
    {
        using var process = Launch(tool, arguments, editor);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(TimeSpan.FromSeconds(120));
        var (output, error) = (process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
        await process.WaitForExitAsync(deadline.Token);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Starts a tool whose output is read while it runs.</summary>
    public Process Launch(string tool, params string[] arguments) => Launch(tool, arguments, "true");

    private Process Launch(string tool, string[] arguments, string editor)
    {
        var start = new ProcessStartInfo(Path.Combine(Tools, tool), arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Folder };
        start.Environment["KUBECONFIG"] = Kubeconfig;
        start.Environment["HOME"] = Folder;
        start.Environment["EDITOR"] = editor;
        return Process.Start(start) ?? throw new InvalidOperationException($"{tool} did not start");
    }

    /// <summary>Writes a file into the scratch folder and returns its path.</summary>
    public async Task<string> FileAsync(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        await File.WriteAllTextAsync(path, text);
        return path;
    }

    /// <summary>Runs <c>opt-local node ACTION NAME</c>.</summary>
    public async Task NodeAsync(string action, string node, CancellationToken ct)
    {
        using var process = Process.Start(Repo.PathOf("artifacts", "bin", "LocalCluster", "release", "opt-local"), ["node", action, node, "--state-dir", State]);
        await process.WaitForExitAsync(ct);
        if (process.ExitCode != 0) throw new InvalidOperationException($"opt-local node {action} {node} exited {process.ExitCode}");
    }

    /// <exception cref="TimeoutException">It did not come to hold; the message holds the program's last output.</exception>
    public async Task EventuallyAsync(string what, Func<Task<bool>> condition, CancellationToken ct, int seconds = 120)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(started).TotalSeconds > seconds) throw new TimeoutException($"Not within {seconds} s: {what}.\n{Diagnosis()}");
            await Task.Delay(TimeSpan.FromMilliseconds(400), TimeProvider.System, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false } process)
        {
            using var interrupt = Process.Start("kill", ["-INT", $"{process.Id}"]);
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20), TimeProvider.System);
            try
            {
                await process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
            }
        }

        _process?.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private string Diagnosis()
    {
        var text = new StringBuilder();
        foreach (var log in (string[])[Output, Path.Combine(State, "opt-local.log")])
        {
            if (File.Exists(log)) text.AppendLine($"--- {log}").AppendJoin('\n', File.ReadLines(log).TakeLast(30)).AppendLine();
        }

        return text.ToString();
    }
}
