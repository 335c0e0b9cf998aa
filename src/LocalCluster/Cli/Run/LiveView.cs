using Spectre.Console;
using Spectre.Console.Rendering;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>For a terminal: a panel that is redrawn in place, messages above it.</summary>
internal sealed class LiveView(LiveDisplayContext display, RunOptions options, TimeProvider clock) : IRunView
{
    private const int Messages = 8;
    private readonly long _start = clock.GetTimestamp();
    private readonly List<string> _messages = [];
    private readonly List<double> _losses = [];
    private JobView? _view;

    public void Say(string message)
    {
        _messages.Add($"[grey]{clock.GetElapsedTime(_start):mm\\:ss}[/] {Markup.Escape(message)}");
        if (_messages.Count > Messages) _messages.RemoveAt(0);
        Draw();
    }

    public void Show(JobView view)
    {
        if (view.Loss is { } loss && view.Step != _view?.Step) _losses.Add(loss);
        _view = view;
        Draw();
    }

    private void Draw()
    {
        display.UpdateTarget(new Rows([.. _messages.Select(m => new Markup(m)), .. Panel()]));
        display.Refresh();
    }

    private IEnumerable<IRenderable> Panel()
    {
        if (_view is not { } view) yield break;
        var grid = new Grid().AddColumn().AddColumn();
        grid.AddRow("[bold]phase[/]", $"[bold {Colour(view.Phase)}]{view.Phase}[/]  epoch {view.Epoch}, {view.Restarts} {(view.Restarts == 1 ? "restart" : "restarts")}");
        grid.AddRow("[bold]step[/]", $"{RunText.Bar(view.Fraction, 40)} {view.Step}/{view.TotalSteps}");
        grid.AddRow("[bold]loss[/]", $"{RunText.Loss(view.Loss)}  {RunText.Curve(_losses, 40)}");
        grid.AddRow("[bold]rate[/]", $"lr {RunText.Rate(view.LearningRate)}, {RunText.Speed(view.TokensPerSecond)}");
        grid.AddRow("[bold]nodes[/]", $"{view.NodesReady}/{view.NodesDesired} ready{(view.Quarantined.Count > 0 ? ", quarantined: " + Markup.Escape(string.Join(", ", view.Quarantined.Select(q => q.Node))) : "")}");
        grid.AddRow("[bold]saved[/]", view.CheckpointStep is { } step ? $"step {step}" : "-");
        if (options.Dashboard is { } dashboard) grid.AddRow("[bold]page[/]", Markup.Escape(dashboard.Address));
        yield return new Panel(grid).Header("opt-operator").RoundedBorder();
    }

    private static string Colour(string phase) => phase switch { "Running" or "Succeeded" => "green", "Failed" => "red", _ => "yellow" };
}
