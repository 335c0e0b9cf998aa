using System.CommandLine;
using Opt.Api.Protocol;
using Opt.Trainer.Agent;
using Opt.Trainer.Checkpoints.Commands;
using Opt.Trainer.Cli;
using Opt.Trainer.Diagnostics;
using Opt.Trainer.Reports;

// Every subcommand; each lives in Cli under its own name.
var root = new RootCommand("Trains OPT language models. Part of opt-operator.")
{
    TrainCommand.Create(),
    WorkerCommand.Create(),
    AgentCommand.Create(),
    TokenizeCommand.Create(),
    ModelCommands.Init(),
    ModelCommands.Export(),
    ModelCommands.Import(),
    EvaluateCommand.Create(),
    CheckpointsCommand.Create(),
    PlanCommand.Create(),
    DiagnoseCommand.Create(),
    ReportCommands.Logbook(),
    ReportCommands.Plot(),
};

var parsed = root.Parse(args);
if (parsed.Errors.Count > 0)
{
    foreach (var error in parsed.Errors) Console.Error.WriteLine(ExitCodes.Line(WorkerExit.Usage, error.Message));
    return (int)WorkerExit.Usage;
}

try
{
    // Ending takes its time: ranks leave together, a checkpoint may still be under way.
    return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromMinutes(10) });
}
catch (OperationCanceledException)
{
    return (int)WorkerExit.Stopped;
}
catch (Exception e)
{
    return ExitCodes.Report(e);
}
