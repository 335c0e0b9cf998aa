using System.CommandLine;
using Opt.LocalCluster.ApiServer.Auth;
using Spectre.Console;

namespace Opt.LocalCluster.Cli.Run;

/// <summary><c>opt-local run MANIFEST</c>: brings everything up, applies the manifest, follows its job, exits 0 when it succeeded.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var flags = new ClusterFlags();
        var manifest = new Argument<string>("manifest") { Description = "YAML file with one OptTrainingJob, and whatever it needs beside it" };
        var program = new Option<string>("--operator") { Description = "the operator's program", DefaultValueFactory = _ => "bin/opt-operator" };
        var crds = new Option<string>("--crds") { Description = "folder with the CustomResourceDefinitions", DefaultValueFactory = _ => "crds" };
        var killWorkerAt = Fraction("--kill-worker-at", "kill one worker process with SIGKILL at this fraction of the steps");
        var failNodeAt = Fraction("--fail-node-at", "fail a whole node at this fraction of the steps");
        var keep = new Option<bool>("--keep") { Description = "keep serving after the job's end, until stopped" };
        var dashboard = new Option<int?>("--dashboard-port") { Description = "have the operator serve its dashboard on loopback, on this port or, when it is taken, a free one; 0 for any" };
        dashboard.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is { } port && port is < 0 or > 65535) result.AddError($"--dashboard-port: {port} is not allowed; 0 to 65535");
        });
        var command = new Command("run", "Start a cluster and the operator, apply a manifest and follow its job to the end.") { manifest, program, crds, killWorkerAt, failNodeAt, dashboard, keep };
        flags.AddTo(command);
        command.SetAction((parsed, ct) => Failures.ReportAsync(
            () => RunAsync(
                flags,
                parsed,
                new RunOptions
                {
                    Manifest = parsed.GetValue(manifest)!,
                    Operator = parsed.GetValue(program)!,
                    Crds = parsed.GetValue(crds)!,
                    KillWorkerAt = parsed.GetValue(killWorkerAt),
                    FailNodeAt = parsed.GetValue(failNodeAt),
                    Keep = parsed.GetValue(keep),
                    Dashboard = parsed.GetValue(dashboard) is { } port ? DashboardLink.On(port) : null,
                    StateDirectory = flags.StateDirectory(parsed),
                    Kubeconfig = flags.KubeconfigOut(parsed),
                },
                TimeProvider.System,
                ct),
            ct));
        return command;
    }

    private static Option<double?> Fraction(string name, string description)
    {
        var option = new Option<double?>(name) { Description = description };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is { } value && value is not (> 0 and < 1)) result.AddError($"{name}: {value} is not allowed; a number between 0 and 1");
        });
        return option;
    }

    private static async Task<int> RunAsync(ClusterFlags flags, ParseResult parsed, RunOptions options, TimeProvider clock, CancellationToken ct)
    {
        // Only to the file: the screen shows the job.
        using var loggers = ClusterLog.Create(options.StateDirectory, null, clock);
        var (definitions, manifest) = (Manifest.Read(options.Crds), Manifest.Read(options.Manifest));
        manifest.Single("OptTrainingJob");
        await using var running = await RunningCluster.StartAsync(Admitting(options.Dashboard, flags.Read(parsed, loggers)), flags.Simulated(parsed), options.StateDirectory, options.Kubeconfig, clock, ct);
        await definitions.ApplyAsync(running.Cluster.Api, definitions, ct);
        await using var @operator = OperatorProcess.Start(options.Operator, options.Kubeconfig, options.Dashboard, Path.Combine(options.StateDirectory, "opt-operator.log"), running.Cluster.Nodes!.Instance, clock);
        return await FollowAsync(new(running.Cluster, @operator, options, clock), definitions, manifest, running.Cluster, options, clock, ct);
    }

    private static ClusterOptions Admitting(DashboardLink? dashboard, ClusterOptions options)
    {
        if (dashboard is null) return options;
        var visitor = KeyValuePair.Create(dashboard.Token, new UserInfo("dashboard-visitor", ["system:masters", "system:authenticated"]));
        return options with { Http = options.Http! with { Tokens = new Dictionary<string, UserInfo>(options.Http!.Tokens.Append(visitor)) } };
    }

    private static async Task<int> FollowAsync(JobRun run, Manifest definitions, Manifest manifest, Cluster cluster, RunOptions options, TimeProvider clock, CancellationToken ct)
    {
        async Task<JobView> Show(IRunView view)
        {
            view.Say($"control plane at {cluster.Address}, nodes {string.Join(", ", cluster.Nodes!.Names.Order(StringComparer.Ordinal))}");
            if (options.Dashboard is { } dashboard) view.Say($"dashboard at {dashboard.Address}");
            view.Say($"look around while it runs: export KUBECONFIG={options.Kubeconfig}");
            return await run.FollowAsync(definitions, manifest, view, ct);
        }

        var interactive = !Console.IsOutputRedirected && AnsiConsole.Profile.Capabilities.Ansi;
        var end = interactive
            ? await AnsiConsole.Live(new Text("")).AutoClear(false).StartAsync(display => Show(new LiveView(display, options, clock)))
            : await Show(new PlainView(Console.Out, clock));
        Summary.Write(Console.Out, (string)manifest.Single("OptTrainingJob")["metadata"]!["name"]!, end, run.Losses, options);
        if (options.Keep)
        {
            Console.WriteLine("Serving until stopped (Ctrl-C).");
            await UpCommand.WaitAsync(clock, ct);
        }

        return end.Phase == "Succeeded" ? 0 : 1;
    }
}
