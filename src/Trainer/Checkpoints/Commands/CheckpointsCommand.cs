using System.CommandLine;
using System.CommandLine.Parsing;
using Opt.Trainer.Stores;
using Spectre.Console;

namespace Opt.Trainer.Checkpoints.Commands;

/// <summary><c>opt-trainer checkpoints list | show | verify | pin | condemn | prune | copy</c>.</summary>
internal static class CheckpointsCommand
{
    private static readonly Option<string?> StoreOption = new("--store")
    {
        Description = "Folder, or URL of a blob container; default: the environment's OPT_STORE. Credentials: OPT_STORE_CONNECTION_STRING, OPT_STORE_SAS_TOKEN, OPT_STORE_ACCOUNT_KEY or an identity",
        Recursive = true,
    };

    private static readonly Option<string> OutputOption = new("--output", "-o") { Description = "table or json", DefaultValueFactory = _ => "table", Recursive = true };

    public static Command Create() => Create(AnsiConsole.Console);

    /// <param name="console">Where results go.</param>
    internal static Command Create(IAnsiConsole console)
    {
        OutputOption.AcceptOnlyFromAmong("table", "json");
        return new Command("checkpoints", "Look at and look after the checkpoints of a store")
        {
            List(console), Show(console), Verify(console), Pin(console), Condemn(console), Prune(console), Copy(console), StoreOption, OutputOption,
        };
    }

    private static Command List(IAnsiConsole console) => With(new Command("list", "The checkpoints there are, newest first"), console, (tool, _, ct) => tool.ListAsync(ct));

    private static Command Show(IAnsiConsole console)
    {
        var which = Which();
        return With(new Command("show", "Everything about one checkpoint") { which }, console, (tool, r, ct) => tool.ShowAsync(r.GetValue(which)!, ct));
    }

    private static Command Verify(IAnsiConsole console)
    {
        var which = new Argument<string[]>("checkpoint") { Description = "Steps, #ENTRY, latest, healthy or healthy@STEP; default: all", Arity = ArgumentArity.ZeroOrMore };
        return With(new Command("verify", "Read every byte and compare it with its checksum") { which }, console, (tool, r, ct) => tool.VerifyAsync(r.GetValue(which) ?? [], ct));
    }

    private static Command Pin(IAnsiConsole console)
    {
        var which = Which();
        var off = new Option<bool>("--off") { Description = "Unpin" };
        return With(new Command("pin", "Keep a checkpoint whatever retention says") { which, off }, console, (tool, r, ct) => tool.PinAsync(r.GetValue(which)!, !r.GetValue(off), ct));
    }

    private static Command Condemn(IAnsiConsole console)
    {
        var which = Which();
        var reason = new Option<string>("--reason") { Description = "Why", Required = true };
        return With(new Command("condemn", "Never resume from a checkpoint again") { which, reason }, console, (tool, r, ct) => tool.CondemnAsync(r.GetValue(which)!, r.GetValue(reason)!, ct));
    }

    private static Command Prune(IAnsiConsole console)
    {
        var last = new Option<int>("--keep-last") { Description = "Keep this many of the newest", DefaultValueFactory = _ => 4 };
        var every = new Option<int>("--keep-every") { Description = "Keep the first at or after every so many steps; 0 for none", DefaultValueFactory = _ => 5000 };
        var dry = new Option<bool>("--dry-run") { Description = "Only say what would go" };
        last.Validators.Add(NotBelow(1));
        every.Validators.Add(NotBelow(0));
        return With(new Command("prune", "Apply retention now; the last two healthy ones and pinned ones always stay") { last, every, dry }, console,
            (tool, r, ct) => tool.PruneAsync(new() { Last = r.GetValue(last), EverySteps = r.GetValue(every) }, r.GetValue(dry), ct));
    }

    private static Command Copy(IAnsiConsole console)
    {
        var which = Which();
        var to = new Option<string>("--to") { Description = "Store to copy to, as --store", Required = true };
        return With(new Command("copy", "Copy a checkpoint to another store, verified on the way") { which, to }, console, async (tool, r, ct) =>
        {
            await using var target = StoreEnvironment.Read().Open(TimeProvider.System, StoreAddress.Parse(r.GetValue(to)!), createRoot: true);
            await tool.CopyAsync(r.GetValue(which)!, target, ct);
        });
    }

    private static Argument<string> Which() => new("checkpoint") { Description = "A step, #ENTRY, latest, healthy, or healthy@STEP: the newest healthy one not after that step" };

    private static Action<OptionResult> NotBelow(int least) => result =>
    {
        if (result.GetValueOrDefault<int>() < least) result.AddError($"{result.Option.Name} must be at least {least}");
    };

    private static Command With(Command command, IAnsiConsole console, Func<CheckpointTool, ParseResult, CancellationToken, Task> run)
    {
        command.SetAction(async (r, ct) =>
        {
            var environment = StoreEnvironment.Read();
            await using var store = environment.Open(TimeProvider.System, r.GetValue(StoreOption) is { } address ? StoreAddress.Parse(address) : null);
            await run(new(store, console, r.GetValue(OutputOption) == "json", TimeProvider.System), r, ct);
            return 0;
        });
        return command;
    }
}
