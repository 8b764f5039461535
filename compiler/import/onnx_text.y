/* onnx_text.y: ONNX's textual syntax. Every action is one call of a builder. */
%code requires { #include "onnx_text.h" }
%code {
int onnx_yylex(YYSTYPE *value, struct place *location, void *scanner);
static void onnx_yyerror(struct place *location, struct text_parser *p, void *scanner, const char *message) {
    onnx_text_error(p, *location, "%s", message);
}
#define YYLLOC_DEFAULT(current, rhs, n)                                                                    \
    do {                                                                                                   \
        (current) = YYRHSLOC(rhs, (n) ? 1 : 0);                                                            \
        if (n) (current).span.end = YYRHSLOC(rhs, n).span.end;                                             \
    } while (0)
}
%define api.prefix {onnx_yy}
%define api.pure full
%define api.location.type {struct place}
%define parse.error detailed
%define lr.type ielr
%define parse.lac full
%locations
%initial-action { @$ = (struct place){{0, 0}, 1, 1}; }
%parse-param { struct text_parser *p } { void *scanner }
%lex-param { void *scanner }
%expect 0

%union {
    char *text;
    int64_t number;
    struct list list;
    struct spans spans;
    struct items items;
    Onnx__TypeProto *type;
    Onnx__TensorShapeProto__Dimension *dimension;
    Onnx__ValueInfoProto *info;
    Onnx__TensorProto *tensor;
    Onnx__AttributeProto *attribute;
    Onnx__NodeProto *node;
    Onnx__GraphProto *graph;
    Onnx__StringStringEntryProto *pair;
    struct header_entry *entry;
}
%token END 0 "end of text"
%token NAME "name"
%token TYPE "type"
%token CONTAINER "container type"
%token INTEGER "number"
%token REAL "real number"
%token STRING "string"
%token ARROW "=>"
%type <text> word any quotable optional_quotable string label optional_type
%type <number> integer
%type <list> header entries pairs pair_items dims names name_items qualified attributes attribute_list nodes infos info_items
%type <list> parameters parameter_items values function_attributes function_attribute_items
%type <items> inputs input_items initialisers initialiser_items
%type <spans> constants constant_items
%type <type> type tensor_type
%type <dimension> dim
%type <info> info
%type <attribute> attribute single value
%type <node> node
%type <graph> graph
%type <pair> pair
%type <entry> entry
%%
model:
    header graph                        { onnx_build_model(p, $1, $2); }
    functions
  | graph                               { onnx_build_model(p, (struct list){0}, $1); }
    functions
  ;
functions:
    %empty
  | functions function
  ;
function:
    header quotable function_attributes parameters ARROW parameters function_infos nodes { onnx_build_function(p, $1, $2, $3, $4, $6, $8); }
  | quotable function_attributes parameters ARROW parameters function_infos nodes { onnx_build_function(p, (struct list){0}, $1, $2, $3, $5, $7); }
  ;
function_infos:
    %empty
  | '<' info_items '>'
  ;
function_attributes:
    %empty                              { $$ = (struct list){0}; }
  | '<' function_attribute_items '>'    { $$ = $2; }
  ;
function_attribute_items:
    word                                { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | function_attribute_items ',' word   { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
parameters:
    '(' ')'                             { $$ = (struct list){0}; }
  | '(' parameter_items ')'             { $$ = $2; }
  ;
parameter_items:
    info                                { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | parameter_items ',' info            { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;

header:
    '<' entries '>'                     { $$ = $2; }
  ;
entries:
    entry                               { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | entries ',' entry                   { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
entry:
    NAME ':' INTEGER                    { $$ = onnx_build_entry(p, @1, onnx_build_text(p, @3), (struct list){0}); }
  | NAME ':' string                     { $$ = onnx_build_entry(p, @1, $3, (struct list){0}); }
  | NAME ':' pairs                      { $$ = onnx_build_entry(p, @1, NULL, $3); }
  ;
pairs:
    '[' ']'                             { $$ = (struct list){0}; }
  | '[' pair_items ']'                  { $$ = $2; }
  ;
pair_items:
    pair                                { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | pair_items ',' pair                 { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
pair:
    string ':' string                   { $$ = onnx_build_pair(p, $1, $3); }
  | string ':' INTEGER                  { $$ = onnx_build_pair(p, $1, onnx_build_text(p, @3)); }
  ;

graph:
    quotable inputs ARROW infos initialisers nodes { $$ = onnx_build_graph(p, $1, $2, $4, $5, $6); }
  ;
inputs:
    '(' ')'                             { $$ = (struct items){0}; }
  | '(' input_items ')'                 { $$ = $2; }
  ;
input_items:
    info                                { $$ = (struct items){0}; onnx_build_item(p, &$$, $1, NULL, true); }
  | type quotable '=' constants         { $$ = (struct items){0}; onnx_build_item(p, &$$, onnx_build_info(p, $1, $2), onnx_build_tensor(p, @1, $1, $2, $4, (struct list){0}), true); }
  | type quotable '=' pairs             { $$ = (struct items){0}; onnx_build_item(p, &$$, onnx_build_info(p, $1, $2), onnx_build_tensor(p, @1, $1, $2, (struct spans){0}, $4), true); }
  | input_items ',' info                { $$ = $1; onnx_build_item(p, &$$, $3, NULL, true); }
  | input_items ',' type quotable '=' constants { $$ = $1; onnx_build_item(p, &$$, onnx_build_info(p, $3, $4), onnx_build_tensor(p, @3, $3, $4, $6, (struct list){0}), true); }
  | input_items ',' type quotable '=' pairs { $$ = $1; onnx_build_item(p, &$$, onnx_build_info(p, $3, $4), onnx_build_tensor(p, @3, $3, $4, (struct spans){0}, $6), true); }
  ;
infos:
    '(' ')'                             { $$ = (struct list){0}; }
  | '(' info_items ')'                  { $$ = $2; }
  ;
info_items:
    info                                { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | info_items ',' info                 { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
initialisers:
    %empty                              { $$ = (struct items){0}; }
  | '<' '>'                             { $$ = (struct items){0}; }
  | '<' initialiser_items '>'           { $$ = $2; }
  ;
initialiser_items:
    info                                { $$ = (struct items){0}; onnx_build_item(p, &$$, $1, NULL, false); }
  | type quotable '=' constants         { $$ = (struct items){0}; onnx_build_item(p, &$$, NULL, onnx_build_tensor(p, @1, $1, $2, $4, (struct list){0}), false); }
  | type quotable '=' pairs             { $$ = (struct items){0}; onnx_build_item(p, &$$, NULL, onnx_build_tensor(p, @1, $1, $2, (struct spans){0}, $4), false); }
  | initialiser_items ',' info          { $$ = $1; onnx_build_item(p, &$$, $3, NULL, false); }
  | initialiser_items ',' type quotable '=' constants { $$ = $1; onnx_build_item(p, &$$, NULL, onnx_build_tensor(p, @3, $3, $4, $6, (struct list){0}), false); }
  | initialiser_items ',' type quotable '=' pairs { $$ = $1; onnx_build_item(p, &$$, NULL, onnx_build_tensor(p, @3, $3, $4, (struct spans){0}, $6), false); }
  ;
info:
    type quotable                       { $$ = onnx_build_info(p, $1, $2); }
  | quotable                            { $$ = onnx_build_info(p, NULL, $1); }
  ;
type:
    tensor_type
  | CONTAINER '(' type ')'              { $$ = onnx_build_container_type(p, @1, $3); }
  ;
tensor_type:
    TYPE                                { $$ = onnx_build_tensor_type(p, @1, (struct list){0}, true); }
  | TYPE '[' ']'                        { $$ = onnx_build_tensor_type(p, @1, (struct list){0}, false); }
  | TYPE '[' dims ']'                   { $$ = onnx_build_tensor_type(p, @1, $3, true); }
  ;
dims:
    dim                                 { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | dims ',' dim                        { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
dim:
    '?'                                 { $$ = onnx_build_dimension(p, -1, NULL); }
  | any                                 { $$ = onnx_build_dimension(p, 0, $1); }
  | integer                             { $$ = onnx_build_dimension(p, $1, NULL); }
  ;
constants:
    '{' '}'                             { $$ = (struct spans){0}; }
  | '{' constant_items '}'              { $$ = $2; }
  ;
constant_items:
    constant                            { $$ = (struct spans){0}; onnx_build_span(p, &$$, @1); }
  | constant_items ',' constant         { $$ = $1; onnx_build_span(p, &$$, @3); }
  ;
constant:
    INTEGER | REAL | NAME | STRING
  ;

nodes:
    '{' '}'                             { $$ = (struct list){0}; }
  | '{' node_items '}'                  { $$ = $<list>2; }
  ;
node_items:
    node                                { $<list>$ = (struct list){0}; onnx_build_push(p, &$<list>$, $1); }
  | node_items node                     { $<list>$ = $<list>1; onnx_build_push(p, &$<list>$, $2); }
  ;
node:
    label names '=' qualified attributes '(' names ')' { $$ = onnx_build_node(p, $1, $2, $4, $5, $7); }
  | label names '=' qualified '(' names ')' { $$ = onnx_build_node(p, $1, $2, $4, (struct list){0}, $6); }
  | label names '=' qualified '(' names ')' attributes { $$ = onnx_build_node(p, $1, $2, $4, $8, $6); }
  ;
label:
    %empty                              { $$ = NULL; }
  | '[' quotable ']'                    { $$ = $2; }
  ;
names:
    name_items
  ;
name_items:
    optional_quotable                   { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | name_items ',' optional_quotable    { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
optional_quotable:
    %empty                              { $$ = NULL; }
  | any
  ;
qualified:
    word                                { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | qualified '.' word                  { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
attributes:
    '<' attribute_list '>'              { $$ = $2; }
  ;
attribute_list:
    attribute                           { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | attribute_list ',' attribute        { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
attribute:
    word optional_type '=' value        { $$ = onnx_build_attribute(p, @1, $1, $2, $4); }
  ;
optional_type:
    %empty                              { $$ = NULL; }
  | ':' word                            { $$ = $2; }
  ;
value:
    single
  | '[' ']'                             { $$ = onnx_build_values(p, @1, (struct list){0}); }
  | '[' values ']'                      { $$ = onnx_build_values(p, @1, $2); }
  ;
values:
    single                              { $$ = (struct list){0}; onnx_build_push(p, &$$, $1); }
  | values ',' single                   { $$ = $1; onnx_build_push(p, &$$, $3); }
  ;
single:
    INTEGER                             { $$ = onnx_build_number(p, @1); }
  | REAL                                { $$ = onnx_build_number(p, @1); }
  | NAME                                { $$ = onnx_build_number(p, @1); }
  | string                              { $$ = onnx_build_string(p, $1); }
  | '@' word                            { $$ = onnx_build_reference(p, $2); }
  | type                                { $$ = onnx_build_type_value(p, $1); }
  | tensor_type constants               { $$ = onnx_build_tensor_value(p, onnx_build_tensor(p, @1, $1, NULL, $2, (struct list){0})); }
  | tensor_type '=' constants           { $$ = onnx_build_tensor_value(p, onnx_build_tensor(p, @1, $1, NULL, $3, (struct list){0})); }
  | tensor_type quotable constants      { $$ = onnx_build_tensor_value(p, onnx_build_tensor(p, @1, $1, $2, $3, (struct list){0})); }
  | tensor_type quotable '=' constants  { $$ = onnx_build_tensor_value(p, onnx_build_tensor(p, @1, $1, $2, $4, (struct list){0})); }
  | tensor_type '=' pairs               { $$ = onnx_build_tensor_value(p, onnx_build_tensor(p, @1, $1, NULL, (struct spans){0}, $3)); }
  | NAME inputs ARROW infos initialisers nodes { $$ = onnx_build_graph_value(p, onnx_build_graph(p, onnx_build_text(p, @1), $2, $4, $5, $6)); }
  ;

integer:
    INTEGER                             { $$ = onnx_build_integer(p, @1); }
  ;
word:
    NAME                                { $$ = onnx_build_text(p, @1); }
  | TYPE                                { $$ = onnx_build_text(p, @1); }
  | CONTAINER                           { $$ = onnx_build_text(p, @1); }
  ;
string:
    STRING                              { $$ = onnx_build_text(p, @1); }
  ;
quotable:
    NAME                                { $$ = onnx_build_text(p, @1); }
  | STRING                              { $$ = onnx_build_text(p, @1); }
  ;
any: /* where no type can stand, a type's word is a name like any other */
    word
  | string
  ;
%%
