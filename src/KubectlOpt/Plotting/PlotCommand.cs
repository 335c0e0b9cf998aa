using System.CommandLine;
using Opt.KubectlOpt.Cli;
using Opt.KubectlOpt.Views;

namespace Opt.KubectlOpt.Plotting;

/// <summary><c>kubectl opt plot</c>.</summary>
internal static class PlotCommand
{
    private const string Description = """
        Curves of a job as an SVG file, with every intervention marked.

        The records come from the operator's dashboard, or from a file that `opt-trainer train --steps-out` wrote:

          kubectl -n opt-operator port-forward service/opt-operator-dashboard 8090:80 &
          kubectl opt plot opt-175b --dashboard http://localhost:8090 --token "$(kubectl create token viewer)" > curves.svg
          kubectl opt plot opt-175b --steps steps.jsonl --signal loss --signal learningRate > curves.svg
        """;

    public static Command Create(Runner run)
    {
        var name = Arguments.Name();
        var steps = new Option<string?>("--steps") { Description = "file of step records, one JSON object a line" };
        var dashboard = new Option<Uri?>("--dashboard") { Description = "address of the operator's dashboard; without it $OPT_DASHBOARD" };
        var token = new Option<string?>("--token") { Description = "bearer token for the dashboard; without it $OPT_DASHBOARD_TOKEN" };
        var signals = new Option<string[]>("--signal") { Description = $"what to draw, again for more: {string.Join(", ", Curve.Signals)}", DefaultValueFactory = _ => ["loss", "learningRate", "lossScale", "gradientNorm"] };
        signals.AcceptOnlyFromAmong([.. Curve.Signals]);
        var command = new Command("plot", Description) { name, steps, dashboard, token, signals };
        run.Handle(command, async (parsed, cluster, terminal, ct) =>
        {
            var job = await cluster.GetAsync(parsed.GetValue(name), ct);
            var address = parsed.GetValue(dashboard) ?? (Environment.GetEnvironmentVariable("OPT_DASHBOARD") is { Length: > 0 } given ? new Uri(given) : null);
            var records = (parsed.GetValue(steps), address) switch
            {
                ({ } file, _) => await StepSource.FileAsync(file, ct),
                (_, { } from) => await StepSource.DashboardAsync(from, parsed.GetValue(token) ?? Environment.GetEnvironmentVariable("OPT_DASHBOARD_TOKEN"), job, ct),
                _ => throw new CommandException("give --steps FILE or --dashboard URL", ExitCodes.Usage),
            };
            var marks = (await cluster.LogbookAsync(job, ct)).Entries.Select(e => (e.Number("step") ?? 0, $"{e.Text("what")}: {e.Text("why")}")).ToArray();
            await terminal.Out.WriteAsync(Svg.Draw($"{job.Text("metadata", "namespace")}/{job.Name()}", [.. parsed.GetValue(signals)!.Select(s => Curve.Of(s, records))], marks));
            return ExitCodes.Done;
        });
        return command;
    }
}
