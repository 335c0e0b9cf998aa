using System.CommandLine;
using System.Globalization;
using Opt.Api.Protocol;
using Opt.Trainer.Checkpoints.Commands;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Reports;

/// <summary><c>opt-trainer logbook</c> and <c>opt-trainer plot</c>.</summary>
internal static class ReportCommands
{
    private const string StoreHelp = "Folder, or URL of a blob container; default: the environment's OPT_STORE";

    public static Command Logbook()
    {
        var store = new Option<string?>("--store") { Description = StoreHelp };
        var command = new Command("logbook", "Every decision and intervention of a run, oldest first: when, where, who, what, why") { store };
        command.SetAction(async (parsed, ct) =>
        {
            await using var opened = Open(parsed.GetValue(store));
            foreach (var e in await RunHistory.LogbookAsync(opened, ct))
            {
                Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{e.Time:yyyy-MM-dd HH:mm:ss}Z  epoch {e.Epoch}  step {e.Step}  {e.Actor}: {e.What}"));
                Console.Out.WriteLine($"    {e.Why}");
                if (e.Outcome is { } outcome) Console.Out.WriteLine($"    outcome: {outcome}");
            }

            return 0;
        });
        return command;
    }

    public static Command Plot()
    {
        var store = new Option<string?>("--store") { Description = StoreHelp };
        var steps = new Option<string?>("--steps") { Description = "Step records as JSON lines, instead of a store's" };
        var output = new Option<string>("--out") { Description = "The SVG file to write", Required = true };
        var title = new Option<string>("--title") { Description = "Title of the picture", DefaultValueFactory = _ => "training run" };
        var command = new Command("plot", "Draw loss, learning rate, loss scale and norms against steps, with interventions marked") { store, steps, output, title };
        command.SetAction(async (parsed, ct) =>
        {
            var file = parsed.GetValue(steps);
            await using var opened = file is null ? Open(parsed.GetValue(store)) : null;
            var records = file is null ? await RunHistory.StepsAsync(opened!, ct) : await RunHistory.StepsAsync(file, ct);
            if (records.Count == 0) throw new TrainerException(WorkerExit.Data, "there are no step records to draw");
            var logbook = opened is null ? [] : await RunHistory.LogbookAsync(opened, ct);
            await File.WriteAllTextAsync(parsed.GetValue(output)!, TrainingPlot.Draw(parsed.GetValue(title)!, records, logbook), ct);
            return 0;
        });
        return command;
    }

    private static ICheckpointStore Open(string? address) => StoreEnvironment.Read().Open(TimeProvider.System, address is null ? null : StoreAddress.Parse(address));
}
